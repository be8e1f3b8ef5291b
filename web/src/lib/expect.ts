// What was expected against what came; pure.
import { hour } from './scale'
import { stepAt, type Step } from './shapes'
import type { Point } from './wire'

export type Cell = { t: number; point?: Point }

/**
 * The steps as cells of one length: the mean over each. A cell of which a part
 * is not known is not known, one of which a part is expected is expected, and
 * its grade and source are those of its worst part.
 */
export function cellsOf(steps: Step[], from: number, to: number, long: number): Cell[] {
  const out: Cell[] = []
  let i = 0
  for (let t = from; t < to; t += long) {
    while (i < steps.length && steps[i]!.to <= t) i++
    const parts: { p: Point; ms: number }[] = []
    let known = 0
    for (let k = i; k < steps.length && steps[k]!.from < t + long; k++) {
      const s = steps[k]!
      const ms = Math.min(s.to, t + long) - Math.max(s.from, t)
      if (s.point.gramsPerKWh != null) known += ms
      parts.push({ p: s.point, ms })
    }
    if (known < long) {
      out.push({ t })
      continue
    }
    const mean = (f: (p: Point) => number | undefined) => {
      let sum = 0
      for (const { p, ms } of parts) {
        const v = f(p)
        if (v == null) return undefined
        sum += v * ms
      }
      return sum / long
    }
    const worst = parts.reduce((w, x) => (x.p.grade > w.p.grade || (x.p.forecast && !w.p.forecast) ? x : w)).p
    const forecast = parts.some((x) => x.p.forecast)
    // What is measured is its own band, where an hour is partly expected.
    const edge = (f: (p: Point) => number | undefined) => (forecast ? mean((p) => (p.forecast ? f(p) : p.gramsPerKWh)) : undefined)
    out.push({ t, point: { ...worst, forecast, gramsPerKWh: mean((p) => p.gramsPerKWh), low: edge((p) => p.low), high: edge((p) => p.high) } })
  }
  return out
}

/** How far off an expectation was of what came, in percent of that, with its sign. */
export function offBy(expected: number | undefined, came: number | undefined): number | undefined {
  return expected == null || came == null || came <= 0 ? undefined : (100 * (expected - came)) / came
}

export type Record = {
  hours: number // that were measured since
  mape?: number // mean absolute percentage error; absent: nothing to judge by
  bias?: number // mean signed percentage error
  banded: number // hours of these that had a band
  inside: number // hours of those that came inside it
}

/** What became of a forecast: what was measured since its issue, beside what it said. */
export function recordOf(expected: Step[], steps: Step[], issued: number): Record {
  const r: Record = { hours: 0, banded: 0, inside: 0 }
  let sum = 0
  let signed = 0
  for (const { from, to, point: p } of steps) {
    if (p.forecast || from < issued) continue
    const e = stepAt(expected, from)?.point
    const off = offBy(e?.gramsPerKWh, p.gramsPerKWh)
    if (!e || off === undefined) continue
    const h = (to - from) / hour
    r.hours += h
    sum += Math.abs(off) * h
    signed += off * h
    if (e.low != null && e.high != null) {
      r.banded += h
      if (p.gramsPerKWh! >= e.low && p.gramsPerKWh! <= e.high) r.inside += h
    }
  }
  if (r.hours > 0) {
    r.mape = sum / r.hours
    r.bias = signed / r.hours
  }
  return r
}

/** Round lines from below the least to above the most, about five; zero is one if it is between. */
export function linesBetween(least: number, most: number): number[] {
  const span = most - least || Math.abs(most) || 1
  const raw = span / 4
  const ten = 10 ** Math.floor(Math.log10(raw))
  const step = ten * [1, 2, 5, 10].find((k) => k * ten >= raw * (1 - 1e-9))!
  const out: number[] = []
  for (let k = Math.floor(least / step + 1e-9); ; k++) {
    out.push(Number((k * step).toPrecision(12)))
    if (k * step >= most - 1e-9 * span) return out
  }
}

/** How many hours of prices are below zero. */
export function belowZero(points: { start: string; perKWh: number }[], step: number): number {
  return (points.filter((p) => p.perKWh < 0).length * step) / hour
}
