// What a workload's own little timeline shows.
import type { Alternative, Placement, Workload } from './wire'
import { toCome } from './lanes'
import { at } from './words'

export type Lines = {
  from: number
  to: number
  notBefore: number
  completeBy: number
  baseline?: [number, number]
  plan?: Placement // whose spans have the sizes
  spans: [number, number][]
  runs: [number, number][]
  others: { n: number; what: Alternative; from: number; to: number }[]
}

/** The size that is planned at a time, as a share of the largest one. */
export function sizeAt(p: Placement | undefined, t: number): number {
  const spans = p?.spans ?? []
  const largest = Math.max(...spans.map((s) => s.size ?? 1), 0)
  const here = spans.find((s) => t < at(s.end)) ?? spans.at(-1)
  return here && largest > 0 ? (here.size ?? 1) / largest : 1
}

/** The sizes that are planned, the smallest first; none if it runs as declared. */
export function sizesOf(p: Placement | undefined): number[] {
  const all = [...new Set((p?.spans ?? []).map((s) => s.size ?? 1))].sort((a, b) => a - b)
  return all.length === 1 && all[0] === 1 ? [] : all
}

/** How many pauses are planned: where only the size changes, there is none. */
export function pausesOf(p: Placement | undefined): number {
  const spans = p?.spans ?? []
  return spans.filter((s, i) => i > 0 && at(s.start) > at(spans[i - 1]!.end)).length
}

/** The lines of a decision, and the time that holds them all. */
export function linesOf(w: Workload, p: Placement | undefined, ran: [number, number][], now: number): Lines {
  const created = at(w.created)
  const notBefore = w.shape.when.notBefore ? Math.max(created, at(w.shape.when.notBefore)) : created
  const completeBy = at(w.shape.when.completeBy)
  const spans = (p?.spans ?? []).map((s): [number, number] => [at(s.start), at(s.end)])
  const others = (p?.why.rejected ?? []).map((what, i) => ({ n: i + 1, what, from: at(what.start), to: at(what.finish) }))
  const base = at(w.baseline.start)
  const baseline: [number, number] = [base, base + w.shape.duration.expectedSeconds * 1000]
  const own = [notBefore, completeBy, ...baseline, ...spans.flat(), ...ran.flat()]
  // What was rejected may lie far off. It does not press the rest together.
  const far = (Math.max(...own) - Math.min(...own)) * 0.4
  const all = [...own, ...others.flatMap((o) => [o.from, o.to]).filter((t) => t < Math.max(...own) + far && t > Math.min(...own) - far)]
  const from = Math.min(...all)
  let to = Math.max(...all)
  if (now > from && now < to + (to - from) * 0.15) to = Math.max(to, now)
  const room = (to - from) * 0.05
  return { from: from - room, to: to + room, notBefore, completeBy, baseline, plan: p, spans: toCome(spans, ran, w.state), runs: ran, others }
}
