// The states of a workload in the order of its life, and how each is drawn: by
// a word and a sign, never by colour alone.

/** What a state is like, for colour. */
export type Kind = 'wait' | 'run' | 'done' | 'bad' | 'off'

export type StateLook = { word: string; kind: Kind; sign: string; what: string }

// Signs are drawn on a square of 12 by 12.
const ring = 'M6 1.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4Z'
const signs = {
  ring,
  half: `${ring}M6 3.6v4.8`,
  dot: `${ring}M6 4.4a1.6 1.6 0 1 0 0 3.2a1.6 1.6 0 1 0 0-3.2Z`,
  back: 'M7.8 2.4L4.2 6l3.6 3.6',
  play: 'M3.4 2v8l6.4-4Z',
  pause: 'M3.9 2.4v7.2M8.1 2.4v7.2',
  ask: 'M4 4.2a2 2 0 1 1 2.7 1.9c-.6.2-.7.6-.7 1.1M6 9.4v.2',
  check: 'M2.2 6.4l2.6 2.6l5-6',
  cross: 'M2.8 2.8l6.4 6.4M9.2 2.8l-6.4 6.4',
  bar: `${ring}M3.1 8.9l5.8-5.8`,
  out: 'M3 2h6M3 10h6M3.6 2c0 2.6 4.8 5.4 4.8 8M8.4 2c0 2.6-4.8 5.4-4.8 8',
}

export const states: Record<string, StateLook> = {
  accepted: { word: 'accepted', kind: 'wait', sign: signs.ring, what: 'admitted, not yet planned' },
  planned: { word: 'planned', kind: 'wait', sign: signs.half, what: 'has a place in the plan in force' },
  offered: { word: 'offered', kind: 'wait', sign: signs.half, what: 'offered to its site' },
  held: { word: 'held', kind: 'wait', sign: signs.dot, what: 'its site holds the start right, and starts it in time by itself' },
  releasing: { word: 'releasing', kind: 'wait', sign: signs.back, what: 'its site is asked to give the start right back' },
  running: { word: 'running', kind: 'run', sign: signs.play, what: 'runs now' },
  suspended: { word: 'suspended', kind: 'run', sign: signs.pause, what: 'paused for a cleaner hour' },
  site_silent: { word: 'site silent', kind: 'bad', sign: signs.ask, what: 'its site has not been heard of' },
  succeeded: { word: 'succeeded', kind: 'done', sign: signs.check, what: 'ended well' },
  failed: { word: 'failed', kind: 'bad', sign: signs.cross, what: 'ended badly' },
  cancelled: { word: 'cancelled', kind: 'off', sign: signs.bar, what: 'was cancelled' },
  expired: { word: 'expired', kind: 'off', sign: signs.out, what: 'its window passed without a start' },
}

export function look(state: string): StateLook {
  return states[state] ?? { word: state.replaceAll('_', ' '), kind: 'off', sign: signs.ask, what: 'a state this console does not know' }
}

/** Whether nothing more will become of it. */
export function ended(state: string): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'expired'
}

const bindings: Record<string, string> = {
  none: 'Nothing in its window is cleaner.',
  'complete-by': 'completeBy binds: something cleaner would end too late.',
  capacity: 'Capacity binds: something cleaner is taken.',
  denied: 'when.windows.deny binds: something cleaner is in a time that is denied to it.',
  'min-saving': 'minSaving binds: waiting would save too little.',
  'no-signal': 'No intensity is known: it goes by its policy.',
  started: 'It has begun and cannot be stopped.',
  objective: 'Carbon is not what it is to make small.',
  expected: 'Something cleaner is free, and left to work that is expected.',
  hysteresis: 'A move would gain too little to be worth it.',
}
export const bindingText = (b: string) => bindings[b] ?? b

const causes: Record<string, string> = {
  dirtier: 'emits more',
  dearer: 'costs more',
  later: 'done later and no better',
  full: 'no capacity left then',
  late: 'would be complete too late',
  denied: 'may not run then',
  down: 'its site takes no work',
  unknown: 'no intensity is known there',
  ceiling: 'breaks a ceiling',
  'not-worth': 'cleaner, but by too little to wait for',
}
export const causeText = (c: string | undefined) => (c ? (causes[c] ?? c) : '')

const grades: Record<string, string> = {
  A: 'measured, or a live provider’s forecast',
  B: 'a second provider’s, or an estimate of the first',
  C: 'our forecast, anchored on measured values',
  D: 'climatology alone',
  E: 'a yearly mean: never claimed as savings',
}
export const gradeWords = Object.entries(grades)
export const gradeText = (g: string | undefined) => (g ? (grades[g] ?? '') : '')
