import { expect, test } from 'vitest'
import { find, pack, pauses, place, toCome } from './lanes'
import type { Bar } from './wire'

const h = 3600_000
const iso = (t: number) => new Date(t).toISOString()
function bar(id: string, from: number, to: number, by = to): Bar {
  return {
    id, state: 'planned', site: 's', zone: 'Z', created: iso(from), changed: iso(from), completeBy: iso(by), expectedSeconds: 1, watts: 1, interruptible: false,
    spans: [{ start: iso(from), end: iso(to) }], ran: [], baseline: { rule: 'run-now', site: 's', zone: 'Z', start: iso(from), end: iso(to) }, booked: false, running: false, attempts: 0,
  }
}

test('no two bars of a lane overlap, and no lane is wasted', () => {
  const bars = Array.from({ length: 300 }, (_, i) => place(bar(`w${i}`, ((i * 7919) % 500) * h, (((i * 7919) % 500) + 1 + (i % 9)) * h)))
  const lanes = pack(bars, 0)
  for (const lane of lanes) for (let i = 1; i < lane.length; i++) expect(lane[i]!.from).toBeGreaterThanOrEqual(lane[i - 1]!.to)
  let most = 0
  for (const b of bars) most = Math.max(most, bars.filter((o) => o.from <= b.from && o.to > b.from).length)
  expect(lanes.length).toBe(most)
})

test('a bar reaches to its completeBy', () => {
  const b = place(bar('w', 2 * h, 3 * h, 9 * h))
  expect([b.from, b.start, b.end, b.to]).toEqual([2 * h, 2 * h, 3 * h, 9 * h])
})

test('a change of one bar leaves the lanes of those before it', () => {
  const make = (by: number) => [place(bar('a', 0, h)), place(bar('b', h / 2, h)), place(bar('c', 2 * h, 3 * h, by))]
  const [one, two] = [make(4 * h), make(8 * h)]
  pack(one, 0)
  pack(two, 0)
  expect(one.map((b) => b.lane)).toEqual(two.map((b) => b.lane))
})

test('find takes the nearest within reach', () => {
  const lane = [place(bar('a', 0, h)), place(bar('b', 3 * h, 4 * h))]
  expect(find(lane, h / 2, 0)?.bar.id).toBe('a')
  expect(find(lane, 2.8 * h, h / 2)?.bar.id).toBe('b')
  expect(find(lane, 2 * h, h / 2)).toBeUndefined()
  expect(find(undefined, 0, h)).toBeUndefined()
})

test('of a plan, what has run is not still to come', () => {
  expect(toCome([[0, 4 * h]], [], 'planned')).toEqual([[0, 4 * h]])
  expect(toCome([[0, 9 * h]], [[0, h], [3 * h, 5 * h]], 'running')).toEqual([[5 * h, 9 * h]])
  expect(toCome([[3 * h, 5 * h]], [[0, h]], 'suspended')).toEqual([[3 * h, 5 * h]])
  expect(toCome([[0, 4 * h]], [[0, 3 * h]], 'succeeded')).toEqual([])
  expect(pauses([[0, h]], [[3 * h, 5 * h]])).toEqual([[h, 3 * h]])
  expect(pauses([[0, h]], [[h, 5 * h]])).toEqual([])
})
