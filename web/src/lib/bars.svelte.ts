// The workloads of a stretch of time, kept as they are by the stream.
import { SvelteMap } from 'svelte/reactivity'
import * as api from './api'
import { watchAfter, type Batch } from './live.svelte'
import type { Bar } from './wire'

const most = 2000
// Of very many, the newest are there sooner than all.
const first = 400
const idsAtOnce = 100

export type Range = { from?: string; to?: string; state?: string }

export class Bars {
  all = $state.raw<Bar[]>([])
  error = $state.raw<api.Problem>()
  busy = $state(false)
  /** Whether there are more than are shown. */
  more = $state(false)
  loaded = $state(false)
  #map = new Map<string, Bar>()
  #range: Range = {}
  #now: AbortController | undefined

  async read(range: Range) {
    this.#now?.abort()
    const mine = (this.#now = new AbortController())
    this.#range = range
    this.busy = true
    try {
      for (const limit of this.loaded ? [most] : [first, most]) {
        const page = await api.timeline({ ...range, limit }, mine.signal)
        if (this.#now !== mine) return
        this.#map = new Map(page.items.map((b) => [b.id, b]))
        this.more = !!page.next
        this.error = undefined
        this.loaded = true
        this.#show()
        void this.take(watchAfter(page.asOf))
        if (!page.next) break
      }
    } catch (e) {
      if (this.#now === mine && !mine.signal.aborted) this.error = e as api.Problem
    } finally {
      if (this.#now === mine) this.busy = false
    }
  }

  again() {
    return this.read(this.#range)
  }

  /** Reads anew what a batch of changes was about. */
  async take(b: Batch) {
    const ids = [...b.workloads]
    if (!ids.length || !this.loaded) return
    const mine = this.#now
    // So many at once are sooner read as a whole.
    if (ids.length > 5 * idsAtOnce) return void this.again()
    try {
      for (let i = 0; i < ids.length; i += idsAtOnce) {
        const some = ids.slice(i, i + idsAtOnce)
        const page = await api.timeline({ id: some, limit: idsAtOnce })
        if (this.#now !== mine) return
        for (const bar of page.items) {
          if (this.#within(bar)) this.#map.set(bar.id, bar)
          else this.#map.delete(bar.id)
        }
      }
      this.#show()
    } catch {
      // The next batch, or the stream's own complaint, says it.
    }
  }

  stop() {
    this.#now?.abort()
    this.#now = undefined
  }

  #within(b: Bar): boolean {
    const r = this.#range
    if (r.state && !r.state.split(',').includes(b.state)) return false
    const last = [b.completeBy, ...(b.spans ?? []).map((s) => s.end), ...(b.ran ?? []).map((s) => s.end)].reduce((x, y) => (Date.parse(x) > Date.parse(y) ? x : y))
    return (!r.to || Date.parse(b.created) < Date.parse(r.to)) && (!r.from || Date.parse(last) > Date.parse(r.from))
  }

  #show() {
    this.all = [...this.#map.values()]
  }
}

/** Names that enclaves told us; the server never had them. */
export const names = new SvelteMap<string, string>()
