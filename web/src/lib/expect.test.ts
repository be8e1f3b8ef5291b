import { expect, test } from 'vitest'
import { belowZero, cellsOf, linesBetween, offBy, recordOf } from './expect'
import { stepsOf } from './shapes'
import type { Point } from './wire'

const h = 3600_000
const iso = (t: number) => new Date(t).toISOString()
const point = (t: number, g?: number, more: Partial<Point> = {}): Point => ({ start: iso(t), gramsPerKWh: g, forecast: false, grade: 'A', provider: 'p', issued: iso(t + h), ...more })

test('half-hours become hours by their mean, and the worse grade and the forecast show', () => {
  const steps = stepsOf([point(0, 100), point(h / 2, 200), point(h, 300), point(1.5 * h, 500, { forecast: true, grade: 'C', provider: 'q', low: 400, high: 600 }), point(2 * h, 0)])
  const cells = cellsOf(steps, 0, 3 * h, h)
  expect(cells.map((c) => c.point?.gramsPerKWh)).toEqual([150, 400, undefined])
  expect(cells[0]!.point).toMatchObject({ forecast: false, grade: 'A', low: undefined })
  expect(cells[1]!.point).toMatchObject({ forecast: true, grade: 'C', provider: 'q', low: 350, high: 450 })
})

test('a cell that is not wholly known is unknown, and zero is a value', () => {
  const cells = cellsOf(stepsOf([point(0, 0), point(h, undefined), point(1.5 * h, 5)]), -h, 2 * h, h)
  expect(cells.map((c) => c.point?.gramsPerKWh)).toEqual([undefined, 0, undefined])
})

test('a forecast without a band has none in its cells', () => {
  const cells = cellsOf(stepsOf([point(0, 7, { forecast: true })]), 0, h, h)
  expect(cells[0]!.point).toMatchObject({ gramsPerKWh: 7, low: undefined, high: undefined })
})

test('the record of a forecast counts what was measured after it was issued, and nothing else', () => {
  const said = stepsOf([0, 1, 2, 3].map((i) => point(i * h, 110, { forecast: true, low: 90, high: i === 2 ? 105 : 130 })))
  const came = stepsOf([point(0, 10), point(h, 100), point(2 * h, 110), point(3 * h, 400, { forecast: true })])
  const r = recordOf(said, came, h)
  expect(r.hours).toBe(2)
  expect(r.mape).toBeCloseTo(5)
  expect(r.bias).toBeCloseTo(5)
  expect([r.banded, r.inside]).toEqual([2, 1])
  expect(recordOf(said, [], 0).mape).toBeUndefined()
})

test('nothing is a percentage of zero or of what is unknown', () => {
  expect(offBy(5, 0)).toBeUndefined()
  expect(offBy(undefined, 5)).toBeUndefined()
  expect(offBy(90, 100)).toBe(-10)
})

test('lines are round, hold all values, and zero where a price goes below', () => {
  for (const [a, b] of [[-0.021, 0.13], [0.05, 0.31], [-3, -1], [0, 0], [12, 12]] as const) {
    const l = linesBetween(a, b)
    expect(l[0]).toBeLessThanOrEqual(a)
    expect(l.at(-1)).toBeGreaterThanOrEqual(b)
    expect(l.length).toBeLessThanOrEqual(7)
    if (a < 0 && b > 0) expect(l).toContain(0)
  }
})

test('hours below zero', () => {
  expect(belowZero([{ start: '', perKWh: -0.01 }, { start: '', perKWh: 0 }, { start: '', perKWh: -0.02 }], h / 4)).toBe(0.5)
})
