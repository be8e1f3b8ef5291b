// Bars into lanes, so that no two lie on each other.
import type { Bar } from './wire'
import { at } from './words'

/** A bar with its times as numbers, and the lane it lies in. */
export type Placed = {
  bar: Bar
  from: number // of all that is drawn of it
  to: number
  start: number // of what is planned or ran
  end: number
  completeBy: number
  spans: [number, number][] // still to come
  ran: [number, number][]
  base: [number, number]
  lane: number
}

/**
 * What is still to come of a plan: with what has run, the past is what ran,
 * and the plan is what follows. Of what ended well nothing follows.
 */
export function toCome(spans: [number, number][], ran: [number, number][], state: string): [number, number][] {
  const last = ran.at(-1)
  if (!last) return spans
  if (state === 'succeeded') return []
  return spans.filter((s) => s[1] > last[1] + 60_000).map(([a, b]) => [Math.max(a, last[1]), b])
}

/** The pauses between what ran and what is to come. */
export function pauses(ran: [number, number][], next: [number, number][]): [number, number][] {
  const all = [...ran, ...next]
  return all.slice(1).flatMap((s, i): [number, number][] => (s[0] - all[i]![1] > 60_000 ? [[all[i]![1], s[0]]] : []))
}

const known = new WeakMap<Bar, Placed>()

export function place(bar: Bar): Placed {
  const before = known.get(bar)
  if (before) return before
  const planned = (bar.spans ?? []).map((s): [number, number] => [at(s.start), at(s.end)])
  const ran = (bar.ran ?? []).map((s): [number, number] => [at(s.start), at(s.end)])
  const base: [number, number] = [at(bar.baseline.start), at(bar.baseline.end)]
  const spans = toCome(planned, ran, bar.state)
  const completeBy = at(bar.completeBy)
  const all = [...spans, ...ran]
  const start = all.length ? Math.min(...all.map((s) => s[0])) : base[0]
  const end = all.length ? Math.max(...all.map((s) => s[1])) : base[1]
  const placed = { bar, spans, ran, base, completeBy, start, end, from: Math.min(start, base[0]), to: Math.max(end, base[1], completeBy), lane: 0 }
  known.set(bar, placed)
  return placed
}

/**
 * Puts each bar into the first lane that is free from its beginning on. The
 * order is by beginning, so that a bar keeps its lane while others change.
 */
export function pack(bars: Placed[], gap: number): Placed[][] {
  bars.sort((a, b) => a.from - b.from || (a.bar.id < b.bar.id ? -1 : 1))
  const lanes: Placed[][] = []
  const free: number[] = []
  for (const b of bars) {
    let lane = free.findIndex((t) => t <= b.from)
    if (lane < 0) {
      lane = free.length
      lanes.push([])
    }
    free[lane] = b.to + gap
    b.lane = lane
    lanes[lane]!.push(b)
  }
  return lanes
}

/** What lies at a time in a lane, or within `near` of it. */
export function find(lane: Placed[] | undefined, t: number, near: number): Placed | undefined {
  if (!lane) return undefined
  let best: Placed | undefined
  let far = near
  for (const b of lane) {
    const d = t < b.from ? b.from - t : t > b.to ? t - b.to : 0
    if (d <= far) {
      far = d
      best = b
    }
  }
  return best
}
