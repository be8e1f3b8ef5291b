// Measures how soon the first view is there, of a real server. Run, with a link
// that it printed: node e2e/first-view.mjs LINK [RUNS]
import { browser, sleep } from './house.mjs'

const [link, runs = '5'] = process.argv.slice(2)
const chrome = await browser()
const context = await chrome.newContext({ viewport: { width: 1280, height: 800 } })
const page = await context.newPage()
await page.goto(link)
await page.waitForURL((u) => u.pathname === '/')
const took = []
for (let i = 0; i < Number(runs); i++) {
  const fresh = await context.newPage()
  await fresh.goto(new URL('/', link).href, { waitUntil: 'commit' })
  await fresh.waitForFunction(() => document.querySelector('.plot path.m-base')?.getAttribute('d').length > 100 && document.querySelectorAll('.plot path.m-measured, .plot path.m-expected, .plot path').length > 3, undefined, { polling: 20 })
  took.push(Math.round(await fresh.evaluate(() => performance.now())))
  await fresh.close()
  await sleep(500)
}
took.sort((a, b) => a - b)
console.log(`bars under their curves after ${took[took.length >> 1]} ms (median of ${took.length}: ${took.join(', ')})`)
await chrome.close()
