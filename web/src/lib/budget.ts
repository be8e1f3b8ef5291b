// How far the requests that a source allows are used up; pure.
import { hour } from './scale'
import type { SignalBudget } from './wire'
import { at } from './words'

export type BudgetState = {
  share?: number // of the limit, 0 to 1 and more; absent: no limit is known
  level: 'calm' | 'soon' | 'full' // soon: within a few hours at this pace
  waits: boolean // the source is left alone just now
}

export function budgetOf(b: SignalBudget, now: number): BudgetState {
  const share = b.limit ? b.used / b.limit : undefined
  const soon = b.exhausts != null && at(b.exhausts) - now < 6 * hour
  return {
    share,
    level: share !== undefined && share >= 1 ? 'full' : soon ? 'soon' : 'calm',
    waits: b.notUntil != null && at(b.notUntil) > now,
  }
}
