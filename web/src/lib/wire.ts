// The types of the API, by the names the console uses. They are the generated
// ones: a change of the API that breaks the console breaks the type check first.
import type { components } from './api.gen'

type S = components['schemas']

export type Span = S['Span']
export type Session = S['Session']
export type Status = S['Status']
export type Counts = S['Counts']
export type Bar = S['Bar']
export type Point = S['Point']
export type Outlook = S['Outlook']
export type Zone = S['Zone']
export type Signals = S['Signals']
export type SignalSource = S['SignalSource']
export type SignalBudget = S['SignalBudget']
export type ZoneSignal = S['ZoneSignal']
export type Verdict = S['Verdict']
export type ForecasterSay = S['ForecasterSay']
export type Forecast = S['Forecast']
export type Prices = S['Prices']
export type Site = S['Site']
export type Alternative = S['Alternative']
export type Placement = S['Placement']
export type Decision = S['Decision']
export type Attempt = S['Attempt']
export type Shape = S['Shape']
export type Workload = S['Workload']
export type Event = S['Event']
export type LedgerEntry = S['LedgerEntry']
export type Checkpoint = S['Checkpoint']
export type Savings = S['Savings']
export type SavingsSum = S['SavingsSum']
export type Budget = S['Budget']
export type Queue = S['Queue']
export type Certificate = S['Certificate']
export type Quote = S['Quote']
export type Class = S['Class']
export type Quotes = S['Quotes']
export type Violation = S['Violation']

/** A page of a list, without the nulls that stand for empty lists. */
export type Page<T> = { items: T[]; next?: string; asOf?: number }
