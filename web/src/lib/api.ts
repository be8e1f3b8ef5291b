// Every call the console makes, each once, by the client that the API's own
// document describes.
import createClient from 'openapi-fetch'
import type { paths } from './api.gen'
import type { Page, Violation } from './wire'

/** An error answer of the API (RFC 9457), or what kept us from getting one. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail = '',
    readonly violations: Violation[] = [],
  ) {
    super(detail || title)
  }
}

const client = createClient<paths>({ baseUrl: '', querySerializer: { array: { style: 'form', explode: false } } })

/** Called when the server says that there is no session any more. */
let onSignedOut: () => void = () => {}
export function whenSignedOut(f: () => void) {
  onSignedOut = f
}

type Answer<T> = { data?: T; error?: unknown; response: Response }

async function done<T>(call: Promise<Answer<T>>, how: { signIn?: boolean; signal?: AbortSignal } = {}): Promise<T> {
  let a: Answer<T>
  try {
    a = await call
  } catch (e) {
    if (how.signal?.aborted) throw e
    throw new Problem(0, 'The server does not answer', 'Is it still running (clusy serve), and is this machine still connected to it?')
  }
  if (a.response.ok) return a.data as T
  if (a.response.status === 401 && !how.signIn) onSignedOut()
  const p = (typeof a.error === 'object' && a.error ? a.error : {}) as { title?: string; detail?: string; errors?: Violation[] }
  throw new Problem(a.response.status, p.title || a.response.statusText || `Status ${a.response.status}`, p.detail, p.errors ?? [])
}

async function page<T>(call: Promise<Answer<{ items: T[] | null; next?: string; asOf?: number }>>, signal?: AbortSignal): Promise<Page<T>> {
  const p = await done(call, { signal })
  return { ...p, items: p.items ?? [] }
}

export const status = () => done(client.GET('/v1/status'))
export const session = () => done(client.GET('/v1/session'), { signIn: true })
export const signIn = (code: string) => done(client.POST('/v1/sessions', { body: { code } }), { signIn: true })
export const signOut = () => done(client.DELETE('/v1/session'), { signIn: true })
export const counts = () => done(client.GET('/v1/counts'))
export const timeline = (query: { from?: string; to?: string; state?: string; id?: string[]; limit?: number }, signal?: AbortSignal) => page(client.GET('/v1/timeline', { params: { query }, signal }), signal)
export const outlooks = (from: string, to: string, signal?: AbortSignal) => page(client.GET('/v1/outlooks', { params: { query: { from, to } }, signal }), signal)
export const workload = (id: string) => done(client.GET('/v1/workloads/{id}', { params: { path: { id } } }))
export const decisions = (id: string) => page(client.GET('/v1/workloads/{id}/decisions', { params: { path: { id } } }))
export const classOf = (name: string) => done(client.GET('/v1/classes/{class}', { params: { path: { class: name } } }))
export const quotes = (id: string) => done(client.GET('/v1/workloads/{id}/quotes', { params: { path: { id } } }))
export const plans = () => page(client.GET('/v1/plans'))
export const events = (id: string, cursor?: string) => page(client.GET('/v1/workloads/{id}/events', { params: { path: { id }, query: { cursor, limit: 500 } } }))
export const cancel = (id: string) => done(client.POST('/v1/workloads/{id}/cancel', { params: { path: { id } } }))
export const entries = (workload: string, cursor?: string) => page(client.GET('/v1/ledger/entries', { params: { query: { workload, cursor, limit: 500 } } }))
export const zones = () => page(client.GET('/v1/zones'))
export const intensity = (zone: string, from: string, to: string, signal?: AbortSignal) => done(client.GET('/v1/zones/{zone}/intensity', { params: { path: { zone }, query: { from, to } }, signal }), { signal })
export const forecast = (zone: string, at: string, signal?: AbortSignal) => done(client.GET('/v1/zones/{zone}/forecast', { params: { path: { zone }, query: { at } }, signal }), { signal })
export const prices = (zone: string, from: string, to: string, signal?: AbortSignal) => page(client.GET('/v1/zones/{zone}/prices', { params: { path: { zone }, query: { from, to } }, signal }), signal)
export const signals = () => done(client.GET('/v1/signals'))
export const sites = () => page(client.GET('/v1/sites'))
export const budgets = () => page(client.GET('/v1/budgets'))
export const queues = () => page(client.GET('/v1/queues'))
export const savings = (query: { from?: string; to?: string } = {}) => done(client.GET('/v1/savings', { params: { query } }))
export const checkpoint = () => done(client.GET('/v1/ledger/checkpoint'))
export const ask = (site: string, body: { what: 'names' | 'logs'; workloads: string[]; attempt?: number; offset?: number; limit?: number; viewer: string }) => done(client.POST('/v1/sites/{site}/questions', { params: { path: { site } }, body }))
