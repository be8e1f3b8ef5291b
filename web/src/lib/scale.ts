// Time across a width.
import { clock, day } from './words'

export type View = { from: number; to: number }

export const minute = 60_000
export const hour = 60 * minute
export const dayLong = 24 * hour

const shortest = 30 * minute
const longest = 120 * dayLong
const steps = [5 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, dayLong, 2 * dayLong, 7 * dayLong, 14 * dayLong, 28 * dayLong]

/** The place of a time on a width, in pixels. */
export function xOf(view: View, width: number): (t: number) => number {
  const k = width / (view.to - view.from)
  return (t) => (t - view.from) * k
}

export type Tick = { t: number; label: string; strong: boolean }

const strongWidth = 88 // of a day's label, in pixels

/** Ticks that are at least `room` pixels apart; a day's beginning is strong. */
export function ticks(view: View, width: number, room = 64): Tick[] {
  const step = steps.find((s) => (s / (view.to - view.from)) * width >= room) ?? steps.at(-1)!
  const out: Tick[] = []
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    const strong = t % dayLong === 0
    const crowded = !strong && (((t % dayLong) / (view.to - view.from)) * width < strongWidth)
    out.push({ t, strong, label: strong ? day(t) : crowded ? '' : clock(t) })
  }
  return out
}

/** The view scaled by k around a time. */
export function zoom(view: View, around: number, k: number): View {
  const long = view.to - view.from
  const wanted = Math.min(longest, Math.max(shortest, long * k))
  const share = (around - view.from) / long
  return { from: around - wanted * share, to: around + wanted * (1 - share) }
}

export function move(view: View, by: number): View {
  return { from: view.from + by, to: view.to + by }
}

/** The view moved as little as is needed for t to be well inside. */
export function reveal(view: View, from: number, to: number): View {
  const long = view.to - view.from
  const margin = long * 0.04
  if (from < view.from + margin) return move(view, from - margin - view.from)
  if (from > view.to - margin) return move(view, Math.min(to, from + long / 2) + margin - view.to)
  return view
}

/** Values on a round scale from 0: the top and where lines go. */
export function rounds(most: number): { top: number; lines: number[] } {
  const step = [25, 50, 100, 200, 250, 500, 1000].find((s) => most / s <= 4) ?? 2000
  const top = Math.max(step, Math.ceil(most / step) * step)
  const lines = []
  for (let v = 0; v <= top; v += step) lines.push(v)
  return { top, lines }
}

/** Upper ends of the steps of carbon intensity, in g/kWh: one scale, always. */
export const carbonSteps = [50, 100, 150, 200, 275, 350, 450, 550, 700]

/** The step that a carbon intensity falls in, 0 (clean) to 9. */
export function carbonStep(g: number): number {
  const i = carbonSteps.findIndex((s) => g < s)
  return i < 0 ? carbonSteps.length : i
}
