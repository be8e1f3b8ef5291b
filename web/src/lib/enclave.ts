// Questions to enclaves, whose answers only this tab can read. The means to
// open them are loaded with the first question.
import * as api from './api'
import { names } from './bars.svelte'
import type { Viewer } from './seal'
import type { Bar } from './wire'

let viewer: Promise<{ seal: typeof import('./seal'); me: Viewer }> | undefined

function ready() {
  viewer ??= import('./seal').then(async (seal) => ({ seal, me: await seal.newViewer() }))
  viewer.catch(() => (viewer = undefined))
  return viewer
}

async function ask<T>(site: string, what: 'names' | 'logs', q: { workloads: string[]; attempt?: number; offset?: number; limit?: number }): Promise<T> {
  const { seal, me } = await ready()
  const r = await api.ask(site, { what, ...q, viewer: me.text })
  if (r.error) throw new api.Problem(0, `The enclave of ${site} gives no answer`, r.error)
  if (!r.sealed) throw new api.Problem(0, `The enclave of ${site} gave an empty answer`)
  const plain = await me.open(seal.purposes[what], seal.fromBase64(r.sealed))
  return JSON.parse(new TextDecoder().decode(plain)) as T
}

export type Chunk = { data: Uint8Array; offset: number; next: number; ended: boolean; lost: number }

/** A piece of what an attempt wrote. Below 0, offset counts from the end. */
export async function logs(site: string, workload: string, attempt: number, offset: number, limit: number): Promise<Chunk> {
  const { seal } = await ready()
  const c = await ask<{ data: string | null; offset: number; next: number; ended: boolean; lost: number }>(site, 'logs', { workloads: [workload], attempt, offset, limit })
  return { ...c, data: c.data ? seal.fromBase64(c.data) : new Uint8Array() }
}

const asked = new Set<string>()
let waiting = new Map<string, Set<string>>() // by site
let timer: ReturnType<typeof setTimeout> | undefined
const silent = new Map<string, number>() // sites that gave no answer, and when

/** Asks for the names of workloads, once each, some at a time. */
export function wantNames(bars: Pick<Bar, 'id' | 'site'>[]) {
  for (const b of bars) {
    if (!b.site || asked.has(b.id) || performance.now() - (silent.get(b.site) ?? -Infinity) < 60_000) continue
    asked.add(b.id)
    const ids = waiting.get(b.site)
    if (ids) ids.add(b.id)
    else waiting.set(b.site, new Set([b.id]))
  }
  if (waiting.size) timer ??= setTimeout(() => void send(), 150)
}

async function send() {
  const now = waiting
  waiting = new Map()
  for (const [site, ids] of now) {
    const list = [...ids]
    for (let i = 0; i < list.length; i += 500) {
      const some = list.slice(i, i + 500)
      try {
        const got = await ask<{ names: Record<string, string> | null }>(site, 'names', { workloads: some })
        for (const [id, name] of Object.entries(got.names ?? {})) names.set(id, name)
      } catch {
        // Without an answer the id is shown, and the site is asked again later.
        silent.set(site, performance.now())
        for (const id of list.slice(i)) asked.delete(id)
        break
      }
    }
  }
  timer = undefined
  if (waiting.size) timer = setTimeout(() => void send(), 150)
}
