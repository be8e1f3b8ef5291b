// Who is looking, and what they may do.
import * as api from './api'
import { go, here } from './router.svelte'
import type { Session } from './wire'

export const session = $state<{ is?: Session; asked: boolean }>({ asked: false })

export async function findSession() {
  try {
    const s = await api.session()
    session.is = s.principal ? s : undefined // to be nobody is an answer, too
  } finally {
    session.asked = true
  }
}

export async function leave() {
  await api.signOut().catch(() => {})
  session.is = undefined
  await go('/sign-in')
}

/** Whether the session may do what needs this permission. */
export function may(permission: string): boolean {
  return session.is?.permissions?.includes(permission) ?? false
}

/** Where to sign in, to come back to where one is. */
export function signInPath(): string {
  const back = here.path + here.query
  return back === '/' || here.route.page === 'sign-in' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(back)}`
}

/** A place in this console to go to after signing in, never elsewhere. */
export function safeNext(next: string): string {
  return next.startsWith('/') && !next.startsWith('//') && !next.includes('\\') ? next : '/'
}

api.whenSignedOut(() => {
  if (here.route.page === 'sign-in') return
  session.is = undefined
  void go(signInPath(), { replace: true })
})
