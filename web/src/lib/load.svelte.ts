// A thing that is read from the server: what is shown stays while it is read
// again, so that nothing flickers.
import { Problem } from './api'

export class Load<T> {
  data = $state.raw<T>()
  error = $state.raw<Problem>()
  busy = $state(false)
  #read: (s: AbortSignal) => Promise<T>
  #now: AbortController | undefined

  constructor(read: (s: AbortSignal) => Promise<T>) {
    this.#read = read
  }

  /** Reads; an older reading that is still under way is dropped. */
  async go(): Promise<T | undefined> {
    this.#now?.abort()
    const mine = (this.#now = new AbortController())
    this.busy = true
    try {
      const got = await this.#read(mine.signal)
      if (this.#now !== mine) return undefined
      this.data = got
      this.error = undefined
      return got
    } catch (e) {
      if (this.#now !== mine || mine.signal.aborted) return undefined
      this.error = e instanceof Problem ? e : new Problem(0, 'This page has an error of its own', String(e))
      return undefined
    } finally {
      if (this.#now === mine) this.busy = false
    }
  }

  stop() {
    this.#now?.abort()
    this.#now = undefined
    this.busy = false
  }
}

/** Calls f now and then, at most once in ms; the last call is never lost. */
export function atMost(ms: number, f: () => void): () => void {
  let last = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  return () => {
    const wait = last + ms - performance.now()
    if (wait <= 0) {
      last = performance.now()
      f()
    } else
      timer ??= setTimeout(() => {
        timer = undefined
        last = performance.now()
        f()
      }, wait)
  }
}
