// What is drawn, as a few long paths: one for each way of drawing, whatever the
// number of bars, so that thousands of them move as lightly as ten.
import { look, type Kind } from './states'
import { pauses, type Placed } from './lanes'
import type { Point } from './wire'
import { at } from './words'

const n = (v: number) => Math.round(v * 10) / 10

function rect(x0: number, x1: number, y: number, h: number): string {
  const w = Math.max(1.5, x1 - x0)
  return `M${n(x0)} ${n(y)}h${n(w)}v${n(h)}h${n(-w)}Z`
}

export type BarShapes = { base: string; slack: string; by: string; byLate: string; gaps: string; planned: Record<Kind, string>; ran: Record<Kind, string> }

/** How high lanes are, by how many there are. */
export function pitchOf(lanes: number): number {
  return lanes <= 16 ? 30 : lanes <= 30 ? 18 : lanes <= 70 ? 11 : 7
}

/** The place of a bar in its lane. */
export function barBox(pitch: number, lane: number): { y: number; h: number } {
  if (pitch >= 30) return { y: lane * pitch + 16, h: 10 }
  const h = pitch >= 18 ? 10 : pitch >= 11 ? 6 : 4
  return { y: lane * pitch + (pitch - h) / 2, h }
}

export function barShapes(bars: Placed[], x: (t: number) => number, pitch: number, from: number, to: number): BarShapes {
  const s: BarShapes = { base: '', slack: '', by: '', byLate: '', gaps: '', planned: { wait: '', run: '', done: '', bad: '', off: '' }, ran: { wait: '', run: '', done: '', bad: '', off: '' } }
  const out = pitch >= 18 ? 2.5 : pitch >= 11 ? 1 : 0
  for (const b of bars) {
    if (b.to < from || b.from > to) continue
    const { y, h } = barBox(pitch, b.lane)
    const mid = n(y + h / 2)
    const kind = look(b.bar.state).kind
    s.base += rect(x(b.base[0]), x(b.base[1]), y - out, h + 2 * out)
    for (const [a, z] of b.spans) s.planned[kind] += rect(x(a), x(z), y, h)
    for (const [a, z] of b.ran) s.ran[kind] += rect(x(a), x(z), y, h)
    for (const [a, z] of pauses(b.ran, b.spans)) s.gaps += `M${n(x(a))} ${mid}H${n(x(z))}`
    const by = n(x(b.completeBy))
    const tick = `M${by} ${n(y - out)}v${n(h + 2 * out)}`
    if (b.bar.missedAt) s.byLate += tick
    else s.by += tick
    s.slack += `M${n(x(Math.min(b.base[0], b.start)))} ${mid}H${by}`
  }
  return s
}

/** What has run since the meters last told, of what runs now. */
export function growth(bars: Placed[], x: (t: number) => number, pitch: number, now: number): string {
  let s = ''
  for (const b of bars) {
    const last = b.ran.at(-1)
    if (!b.bar.running || !last || last[1] >= now) continue
    const { y, h } = barBox(pitch, b.lane)
    s += rect(x(last[1]), x(now), y, h)
  }
  return s
}

export type Step = { from: number; to: number; point: Point }

/** Points as steps, each until the next; the last one as long as the one before it. */
export function stepsOf(points: Point[] | null | undefined): Step[] {
  if (!points) return []
  const out: Step[] = []
  for (let i = 0; i < points.length; i++) {
    const from = at(points[i]!.start)
    const before = i > 0 ? from - at(points[i - 1]!.start) : 3600_000
    const to = i + 1 < points.length ? at(points[i + 1]!.start) : from + before
    out.push({ from, to, point: points[i]! })
  }
  return out
}

export function stepAt(steps: Step[], t: number): Step | undefined {
  return steps.find((s) => t >= s.from && t < s.to)
}

export type CurveShapes = { measured: string; forecast: string; band: string; area: string; unknown: string }

/** The curve of an intensity. What is not known is a gap, not a zero. */
export function curveShapes(steps: Step[], x: (t: number) => number, y: (g: number) => number, from: number, to: number): CurveShapes {
  const s: CurveShapes = { measured: '', forecast: '', band: '', area: '', unknown: '' }
  const floor = n(y(0))
  let pen: { end: number; forecast: boolean } | undefined
  for (const { from: a, to: b, point: p } of steps) {
    if (b < from || a > to) continue
    const [xa, xb] = [n(x(a)), n(x(b))]
    if (p.gramsPerKWh == null) {
      s.unknown += `M${xa} ${floor}H${xb}`
      pen = undefined
      continue
    }
    const v = n(y(p.gramsPerKWh))
    const line = pen && pen.end === a ? `L${xa} ${v}H${xb}` : `M${xa} ${v}H${xb}`
    if (p.forecast) s.forecast += pen && !pen.forecast ? `M${xa} ${v}H${xb}` : line
    else s.measured += pen?.forecast ? `M${xa} ${v}H${xb}` : line
    s.area += `M${xa} ${floor}V${v}H${xb}V${floor}Z`
    if (p.low != null && p.high != null) s.band += rect(xa, xb, y(p.high), y(p.low) - y(p.high))
    pen = { end: b, forecast: p.forecast }
  }
  return s
}

export type Label = { x: number; y: number; name: string; more: string; sign: string; kind: Kind }

/**
 * Labels above their bars, where they fit: from the bar's beginning, pushed in
 * at the edges of what is seen, never over a neighbour and never cut.
 */
export function labels(lanes: Placed[][], x: (t: number) => number, pitch: number, left: number, right: number, text: (b: Placed) => { name: string; more: string }, width: (s: string) => number): Label[] {
  if (pitch < 30) return []
  const out: Label[] = []
  for (const lane of lanes) {
    let taken = -Infinity
    for (let i = 0; i < lane.length; i++) {
      const b = lane[i]!
      if (x(b.to) < left || x(b.from) > right) continue
      const { name, more } = text(b)
      const l = look(b.bar.state)
      const min = Math.max(left + 2, taken + 8, i > 0 ? x(lane[i - 1]!.to) + 8 : -Infinity)
      const max = Math.min(right - 2, i + 1 < lane.length ? x(lane[i + 1]!.from) - 8 : Infinity)
      const short = 17 + width(name)
      const long = more ? short + 8 + width(more) : short
      const w = long <= max - min ? long : short <= max - min ? short : 0
      if (!w) continue
      const at = Math.min(Math.max(x(b.start), min), max - w)
      taken = at + w
      out.push({ x: n(at), y: b.lane * pitch + 11, name, more: w === long ? more : '', sign: l.sign, kind: l.kind })
    }
  }
  return out
}

let pen: CanvasRenderingContext2D | null | undefined
const widths = new Map<string, number>()

/** The width of a text of the labels, in pixels. */
export function textWidth(s: string): number {
  let w = widths.get(s)
  if (w !== undefined) return w
  if (pen === undefined) {
    pen = document.createElement('canvas').getContext('2d')
    if (pen) pen.font = `12px ${getComputedStyle(document.documentElement).fontFamily}`
  }
  w = pen ? pen.measureText(s).width : s.length * 7
  if (widths.size > 5000) widths.clear()
  widths.set(s, w)
  return w
}
