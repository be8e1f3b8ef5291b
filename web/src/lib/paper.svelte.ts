// Charts are drawn for the width they have; on paper that is the paper's. It is
// set before the browser lays the page out for print.
import { flushSync } from 'svelte'

/** The width between the margins of A4, on its long side, in pixels; 0 on a screen. */
export const paper = $state({ width: 0 })
const wide = 1030

addEventListener('beforeprint', () => flushSync(() => (paper.width = wide)))
addEventListener('afterprint', () => (paper.width = 0))
