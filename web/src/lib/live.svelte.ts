// The stream of what happens. One for each tab, opened at the index that the
// first list reflects; what it tells is handed on at most twice a second, and
// pages then read anew only what changed.
import { findSession } from './session.svelte'
import type { Event, LedgerEntry } from './wire'

export type Change = { index: number; kind: string; workload?: string }
/** What happened since the last time: the workloads it was about, and the kinds. */
export type Batch = { workloads: Set<string>; kinds: Set<string> }

type State = 'off' | 'connecting' | 'live' | 'lost' | 'paused'

export const live = $state<{ state: State; since: number }>({ state: 'off', since: 0 })

const every = 500 // ms between two hand-ons
const recentMost = 2000

let source: EventSource | undefined
let last = -1
let recent: Change[] = []
let pending: Change[] = []
let timer: ReturnType<typeof setTimeout> | undefined
let retry: ReturnType<typeof setTimeout> | undefined
let tries = 0
const listeners = new Set<(b: Batch) => void>()

function batch(changes: Change[]): Batch {
  const b: Batch = { workloads: new Set(), kinds: new Set() }
  for (const c of changes) {
    b.kinds.add(c.kind)
    if (c.workload) b.workloads.add(c.workload)
  }
  return b
}

/** The workload that an object is or belongs to. */
export function workloadOf(object: string): string | undefined {
  const m = /^(?:workload|attempt):(wl_[^/]+)/.exec(object)
  return m?.[1]
}

/**
 * Begins to watch after an index, unless watching already. Returns what was
 * seen since then by a stream that is ahead of the list.
 */
export function watchAfter(index: number | undefined): Batch {
  if (index === undefined) return batch([])
  if (last < 0) {
    last = index
    open()
    return batch([])
  }
  return batch(recent.filter((c) => c.index > index))
}

export function onChange(f: (b: Batch) => void): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

function set(state: State) {
  if (live.state === state) return
  live.state = state
  live.since = Date.now()
}

function open() {
  close()
  if (document.hidden) return set('paused')
  set(tries === 0 ? 'connecting' : 'lost')
  const s = new EventSource(`/v1/events?watch=true&after=${last}`)
  source = s
  s.onopen = () => {
    tries = 0
    set('live')
  }
  s.addEventListener('event', (m) => {
    const e = JSON.parse(m.data as string) as Event
    take({ index: e.index, kind: e.kind, workload: workloadOf(e.object) })
  })
  s.addEventListener('entry', (m) => {
    const e = JSON.parse(m.data as string) as LedgerEntry
    take({ index: e.index, kind: 'ledger.entry', workload: e.workload })
  })
  s.onerror = () => {
    set('lost')
    // CONNECTING: the browser comes back by itself, where it was. CLOSED: it
    // has given up, as the answer was not a stream.
    if (s.readyState !== EventSource.CLOSED) return
    close()
    tries++
    retry = setTimeout(async () => {
      await findSession().catch(() => {})
      open()
    }, Math.min(500 * 2 ** tries, 15_000))
  }
}

function close() {
  clearTimeout(retry)
  source?.close()
  source = undefined
}

/** Ends the watch, as when one signs out. */
export function stopWatching() {
  close()
  last = -1
  recent = []
  pending = []
  set('off')
}

function take(c: Change) {
  if (c.index <= last) return // heard before the connection was lost
  last = c.index
  recent.push(c)
  if (recent.length > recentMost) recent = recent.slice(-recentMost / 2)
  pending.push(c)
  timer ??= setTimeout(() => {
    timer = undefined
    const b = batch(pending)
    pending = []
    for (const f of listeners) f(b)
  }, every)
}

document.addEventListener('visibilitychange', () => {
  if (last < 0) return
  if (document.hidden) {
    close()
    set('paused')
  } else open()
})

export const retryNow = () => {
  if (last >= 0 && live.state !== 'live') open()
}
