// The types of the API as the console names them. They are the generated ones:
// a change of the API that breaks the console breaks the type check first.
export type Span = { start: string; end: string }
export type Session = { principal: string; tenant: string; role: string; until: string; permissions: string[]; browser: boolean }
export type Status = { version: string; now: string; demo: boolean; rate: number; ends?: string; origin: string }
export type Counts = { states: Record<string, number>; total: number; late: number; asOf: number }
export type Baseline = { rule: string; site: string; zone: string; start: string; end: string }
export type Bar = {
  id: string; state: string; cause?: string; site: string; zone: string; created: string; changed: string; notBefore?: string; completeBy: string
  expectedSeconds: number; watts: number; interruptible: boolean; spans: Span[]; reservedUntil?: string; latestStart?: string; ran: Span[]; baseline: Baseline
  expectedGrams?: number; runNowGrams?: number; grade?: string; emittedGrams?: number; baselineGrams?: number; savedGrams?: number
  booked: boolean; missedAt?: string; attempts: number; plannedBy?: string
}
export type Page<T> = { items: T[]; next?: string; asOf?: number }
export type Point = { start: string; gramsPerKWh?: number; low?: number; high?: number; forecast: boolean; grade: string; provider: string; issued: string }
export type Outlook = { zone: string; points: Point[] }
export type Zone = { zone: string; name?: string; annualGramsPerKWh?: number; year?: number; nowGramsPerKWh?: number; grade?: string; provider?: string; issued?: string; basis?: string; problem?: string }
export type Money = { amount: number; currency: string }
export type Site = { id: string; zone: string; engine: string; cpus?: number; memoryMiB?: number; watts?: number; slots?: number; pue: number; pricePerKWh?: Money; enclave: { id: string; key: string }; seen?: string; silent: boolean; running: number }
export type Alternative = { site: string; start: string; finish: string; cause?: string; carbonGrams?: number; carbonDeltaGrams?: number; finishDeltaSeconds: number; costDelta?: Money }
export type SignalUsed = { zone: string; provider: string; issued: string; grade: string; basis: string; ref?: string }
export type Reasons = { binding: string; text: string; signals: SignalUsed[] | null; runNow?: Alternative; rejected: Alternative[] | null; considered: number; fell?: Record<string, number> }
export type Placement = { site: string; spans: Span[] | null; reservedUntil: string; latestStart: string; energyKWh: number; carbonGrams?: number; grade?: string; cost?: Money; why: Reasons }
export type Decision = { plan: string; at: string; placement: Placement }
export type Attempt = { n: number; site: string; state: string; started?: string; ended?: string; exitCode?: number; cause?: string; activeSeconds: number; suspensions: number }
export type Account = { entries: number; energyKWh: number; emittedGrams: number; baselineGrams: number; savedGrams: number; grade: string; complete: boolean }
export type Shape = {
  duration: { expectedSeconds: number; p95Seconds?: number; maxSeconds?: number }; watts: number; powerSource?: string; cpus?: number; memoryMiB?: number
  interruptible?: { allowed?: boolean; overheadSeconds?: number; minRunSeconds?: number; maxSuspensions?: number }; when: { notBefore?: string; completeBy: string }
  where?: { allow?: string[] | null; prefer?: string[] | null }; objective?: { minimize?: string; minSaving?: number; carbonCeilingGrams?: number; costCeiling?: Money }
  policy?: { promise?: string; priority?: number; retries?: number; onNoSignal?: string; baseline?: string }
}
export type Workload = {
  id: string; state: string; rev: number; cause?: string; shape: Shape; enclave: string; created: string; changed: string; wanted?: string; plan?: Placement
  baseline: { rule: string; site: string; zone: string; start: string }; attempts: Attempt[] | null; missedAt?: string; missedCause?: string; account?: Account
}
export type Event = { index: number; at: string; actor: string; kind: string; object: string; from?: string; to?: string; rev?: number; detail?: Record<string, string> }
export type LedgerEntry = {
  index: number; workload: string; attempt: number; site: string; zone: string; hour: string; activeSeconds: number; energyKWh: number; energySource: string; pue: number
  gramsPerKWh: number; emittedGrams: number; baselineGrams: number; savedGrams: number; claimed: boolean; grade: string; method: string
}
export type Checkpoint = { origin: string; size: number; text: string; key: string; demo: boolean }
export type SavingsPart = { key: string; entries: number; energyKWh: number; emittedGrams: number; baselineGrams: number; savedGrams: number }
export type Savings = { entries: number; unclaimed: number; energyKWh: number; emittedGrams: number; baselineGrams: number; savedGrams: number; first?: string; last?: string; byDay: SavingsPart[] | null; byZone: SavingsPart[] | null; byGrade: SavingsPart[] | null; asOf: number }
export type Reply = { id: string; sealed?: string; error?: string }
export type Violation = { pointer: string; message: string; value?: unknown; limit?: string; nearest?: string }
