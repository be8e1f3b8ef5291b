import { expect, test } from 'vitest'
import { budgetOf } from './budget'

const h = 3600_000
const iso = (t: number) => new Date(t).toISOString()

test('a budget is calm, soon used up, or used up, and without a limit has no share', () => {
  expect(budgetOf({ used: 3 }, 0)).toEqual({ share: undefined, level: 'calm', waits: false })
  expect(budgetOf({ used: 25, limit: 50, windowSeconds: 3600 }, 0)).toEqual({ share: 0.5, level: 'calm', waits: false })
  expect(budgetOf({ used: 25, limit: 50, exhausts: iso(20 * h) }, 0).level).toBe('calm')
  expect(budgetOf({ used: 40, limit: 50, exhausts: iso(2 * h) }, 0).level).toBe('soon')
  expect(budgetOf({ used: 50, limit: 50, exhausts: iso(2 * h) }, 0).level).toBe('full')
})

test('a source is left alone until the moment it named, and not after', () => {
  expect(budgetOf({ used: 1, notUntil: iso(h) }, 0).waits).toBe(true)
  expect(budgetOf({ used: 1, notUntil: iso(h) }, h).waits).toBe(false)
})
