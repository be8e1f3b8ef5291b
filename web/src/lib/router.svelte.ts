// The address is the state: what is shown can be shared, and Back works.
import { tick } from 'svelte'

export type Route = { page: 'timeline' | 'workload' | 'zones' | 'zone' | 'signals' | 'sites' | 'savings' | 'budgets' | 'sign-in' | 'none'; id?: string }

export function match(path: string): Route {
  if (path === '/') return { page: 'timeline' }
  const zone = /^\/zones\/([^/]+)$/.exec(path)
  if (zone) return { page: 'zone', id: decodeURIComponent(zone[1]!) }
  const workload = /^\/workloads\/([^/]+)$/.exec(path)
  if (workload) return { page: 'workload', id: decodeURIComponent(workload[1]!) }
  switch (path.replace(/\/$/, '')) {
    case '/zones':
      return { page: 'zones' }
    case '/signals':
      return { page: 'signals' }
    case '/sites':
      return { page: 'sites' }
    case '/savings':
      return { page: 'savings' }
    case '/budgets':
      return { page: 'budgets' }
    case '/sign-in':
      return { page: 'sign-in' }
  }
  return { page: 'none' }
}

export const here = $state({ path: location.pathname, query: location.search, route: match(location.pathname) })

function read() {
  here.path = location.pathname
  here.query = location.search
  here.route = match(location.pathname)
}

/** Goes to another page of the console. */
export async function go(href: string, how: { replace?: boolean } = {}) {
  const was = here.path
  history.replaceState({ ...history.state, y: scrollY }, '')
  history[how.replace ? 'replaceState' : 'pushState']({}, '', href)
  read()
  if (here.path === was) return
  await tick()
  scrollTo(0, 0)
  // A new page begins at its heading, for those who hear it too.
  document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
}

/** One value of the query; '' if it is not there. */
export function param(name: string): string {
  return new URLSearchParams(here.query).get(name) ?? ''
}

/** Sets values of the query in place; '' takes one away. */
export function setParams(values: Record<string, string>) {
  const q = new URLSearchParams(here.query)
  for (const [k, v] of Object.entries(values)) {
    if (v) q.set(k, v)
    else q.delete(k)
  }
  const text = q.toString().replaceAll('%3A', ':').replaceAll('%2C', ',')
  history.replaceState(history.state, '', here.path + (text && '?' + text))
  here.query = location.search
}

/** Keeps clicks on our own links inside the page. */
export function follow(e: MouseEvent) {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
  const a = (e.target as Element | null)?.closest?.('a')
  if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin) return
  if (match(a.pathname).page === 'none') return
  if (a.hash && a.pathname === location.pathname && a.search === location.search) return
  e.preventDefault()
  void go(a.pathname + a.search + a.hash)
}

addEventListener('popstate', async (e) => {
  read()
  await tick()
  const y = (e.state as { y?: number } | null)?.y
  if (y !== undefined) scrollTo(0, y)
})
