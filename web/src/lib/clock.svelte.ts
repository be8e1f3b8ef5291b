// The server's clock. A demo's runs faster than ours.
import * as api from './api'
import type { Status } from './wire'
import { at } from './words'

let base = 0
let t0 = 0

export const server = $state<{ status?: Status; tick: number }>({ tick: 0 })

/** The server's now, in milliseconds since 1970. Not reactive: see tick. */
export function now(): number {
  if (!server.status) return Date.now()
  const t = base + (performance.now() - t0) * server.status.rate
  return server.status.ends ? Math.min(t, at(server.status.ends)) : t
}

/** The server's now, for what is to be written anew each second. */
export function ticking(): number {
  void server.tick
  return now()
}

export async function setClock() {
  const asked = performance.now()
  const s = await api.status()
  const got = performance.now()
  base = at(s.now)
  t0 = (asked + got) / 2
  server.status = s
  server.tick++
}

/**
 * Calls look as often as grids change: each quarter of an hour of the server's
 * time, but at most every two seconds and at least every minute. What is known
 * of grids and sites is the house's, and on no tenant's record: the stream does
 * not tell of it. Returns what ends it.
 */
export function asGridsChange(look: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  const wait = () => {
    timer = setTimeout(() => {
      if (!document.hidden) look()
      wait()
    }, Math.min(60_000, Math.max(2000, 900_000 / (server.status?.rate ?? 1))))
  }
  wait()
  return () => clearTimeout(timer)
}

setInterval(() => {
  if (!document.hidden) server.tick++
}, 1000)
setInterval(() => {
  if (!document.hidden && server.status) setClock().catch(() => {})
}, 60_000)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && server.status) setClock().catch(() => {})
})
