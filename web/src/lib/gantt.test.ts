import { expect, test } from 'vitest'
import { pausesOf, sizeAt, sizesOf } from './gantt'
import type { Placement } from './wire'

const iso = (h: number) => new Date(h * 3600_000).toISOString()
const plan = (...spans: [number, number, number?][]) => ({ spans: spans.map(([a, b, size]) => ({ start: iso(a), end: iso(b), ...(size ? { size } : {}) })) }) as Placement

test('a bar is as high as the size, against the largest one', () => {
  const p = plan([1, 2, 4], [2, 3], [5, 6, 2])
  expect([0, 1, 2, 5, 9].map((h) => sizeAt(p, h * 3600_000))).toEqual([1, 1, 0.25, 0.5, 0.5])
  expect(sizesOf(p)).toEqual([1, 2, 4])
  expect(pausesOf(p)).toBe(1)
})

test('work of one size is as it always was', () => {
  const p = plan([1, 2], [4, 5])
  expect(sizeAt(p, 3600_000)).toBe(1)
  expect(sizesOf(p)).toEqual([])
  expect(pausesOf(p)).toBe(1)
  expect(sizeAt(undefined, 0)).toBe(1)
})
