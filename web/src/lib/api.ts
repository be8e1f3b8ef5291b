// Every call the console makes, each once.
import type * as w from './wire'

/** An error answer of the API (RFC 9457), or what kept us from getting one. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail = '',
    readonly violations: w.Violation[] = [],
  ) {
    super(detail || title)
  }
  /** Whether trying again may help without anything else being changed. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** Called when the server says that there is no session any more. */
let onSignedOut: () => void = () => {}
export function whenSignedOut(f: () => void) {
  onSignedOut = f
}

type Query = Record<string, string | number | boolean | undefined>

async function call<T>(method: string, path: string, query?: Query, body?: unknown, signal?: AbortSignal): Promise<T> {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(query ?? {})) if (v !== undefined && v !== '') q.set(k, String(v))
  const url = q.size ? `${path}?${q}` : path
  let r: Response
  try {
    r = await fetch(url, { method, signal, headers: body === undefined ? {} : { 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) })
  } catch (e) {
    if (signal?.aborted) throw e
    throw new Problem(0, 'The server does not answer', 'Is it still running (clusy serve), and is this machine still connected to it?')
  }
  if (r.status === 204) return undefined as T
  const type = r.headers.get('content-type') ?? ''
  if (!r.ok) {
    if (r.status === 401 && path !== '/v1/session' && path !== '/v1/sessions') onSignedOut()
    const p = type.includes('json') ? ((await r.json().catch(() => ({}))) as { title?: string; detail?: string; errors?: w.Violation[] }) : {}
    throw new Problem(r.status, p.title || r.statusText || `Status ${r.status}`, p.detail, p.errors ?? [])
  }
  return (await r.json()) as T
}

const get = <T>(path: string, query?: Query, signal?: AbortSignal) => call<T>('GET', path, query, undefined, signal)
const id = encodeURIComponent

export const status = () => get<w.Status>('/v1/status')
export const session = () => get<w.Session>('/v1/session')
export const signIn = (code: string) => call<w.Session>('POST', '/v1/sessions', undefined, { code })
export const signOut = () => call<void>('DELETE', '/v1/session')
export const counts = () => get<w.Counts>('/v1/counts')
export const timeline = (q: { from?: string; to?: string; state?: string; id?: string; limit?: number; cursor?: string }, s?: AbortSignal) => get<w.Page<w.Bar>>('/v1/timeline', q, s)
export const outlooks = (from: string, to: string, s?: AbortSignal) => get<w.Page<w.Outlook>>('/v1/outlooks', { from, to }, s)
export const workload = (wl: string) => get<w.Workload>(`/v1/workloads/${id(wl)}`)
export const decisions = (wl: string) => get<w.Page<w.Decision>>(`/v1/workloads/${id(wl)}/decisions`)
export const events = (wl: string, cursor?: string) => get<w.Page<w.Event>>(`/v1/workloads/${id(wl)}/events`, { cursor, limit: 500 })
export const cancel = (wl: string) => call<w.Workload>('POST', `/v1/workloads/${id(wl)}/cancel`)
export const entries = (wl: string, cursor?: string) => get<w.Page<w.LedgerEntry>>('/v1/ledger/entries', { workload: wl, cursor, limit: 500 })
export const zones = () => get<w.Page<w.Zone>>('/v1/zones')
export const sites = () => get<w.Page<w.Site>>('/v1/sites')
export const savings = (q: { from?: string; to?: string } = {}) => get<w.Savings>('/v1/savings', q)
export const checkpoint = () => get<w.Checkpoint>('/v1/ledger/checkpoint')
export const ask = (site: string, q: { what: 'names' | 'logs'; workloads: string[]; attempt?: number; offset?: number; limit?: number; viewer: string }) => call<w.Reply>('POST', `/v1/sites/${id(site)}/questions`, undefined, q)
