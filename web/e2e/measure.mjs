// Measures the console as it is built: how big it is, how soon it is there, and
// whether it stays smooth with many bars. The world is the invented one, so
// that only the console is measured. Run: node e2e/measure.mjs [BARS]
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { browser, invented, sleep } from './house.mjs'

const bars = process.argv[2] ?? '2000'
process.env.CLUSY_WORLD = bars
process.env.CLUSY_RATE ??= '60'
const { answer } = await import('../dev/world.mjs')
const dist = fileURLToPath(new URL('../../internal/web/dist/', import.meta.url))

const files = fs.readdirSync(dist + 'assets')
const zipped = (f) => zlib.gzipSync(fs.readFileSync(dist + 'assets/' + f), { level: 9 }).length
const js = files.filter((f) => f.endsWith('.js'))
const first = fs.readFileSync(dist + 'index.html', 'utf8').match(/assets\/(index-[^"]+\.js)/)[1]
console.log(`JavaScript, gzip: ${js.reduce((n, f) => n + zipped(f), 0)} bytes in ${js.length} files, of which ${zipped(first)} for the first view; CSS ${files.filter((f) => f.endsWith('.css')).reduce((n, f) => n + zipped(f), 0)}`)

const server = await invented(answer)
const chrome = await browser()
const page = await (await chrome.newContext({ viewport: { width: 1280, height: 800 } })).newPage()
await page.addInitScript(() => {
  globalThis.began = performance.now()
})
await page.goto(`${server.url}/?span=7d`)
await page.waitForFunction(() => document.querySelector('.plot path.m-base')?.getAttribute('d').length > 100 && document.querySelectorAll('.plot path.m-measured').length > 1)
const ready = await page.evaluate(() => performance.now())
console.log(`first bars under their curves after ${Math.round(ready)} ms, ${bars} workloads in the world`)
const drawn = await page.evaluate(() => [...document.querySelectorAll('.plot path.m-by')].reduce((n, p) => n + (p.getAttribute('d').match(/M/g)?.length ?? 0), 0))
await sleep(1500)

/** Frames while something is done, by the browser's own clock. */
async function frames(what, f) {
  await page.evaluate(() => {
    globalThis.times = []
    const mine = times
    const tick = (t) => {
      mine.push(t)
      if (mine === globalThis.times) requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  })
  await f()
  const times = await page.evaluate(() => {
    const got = times
    globalThis.times = undefined
    return got
  })
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b)
  const rate = (1000 * gaps.length) / (times.at(-1) - times[0])
  const q = (p) => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * p))].toFixed(1)
  console.log(`${what}: ${rate.toFixed(1)} frames a second; gap p50 ${q(0.5)} ms, p95 ${q(0.95)} ms, p99 ${q(0.99)} ms, most ${q(1)} ms`)
}

const box = await page.locator('.plot').first().boundingBox()
const [x, y] = [box.x + box.width / 2, Math.min(600, box.y + 300)]
console.log(`${drawn} bars drawn at once`)
await frames('at rest, now moving', () => sleep(3000))
await frames('dragged', async () => {
  await page.mouse.move(x, y)
  await page.mouse.down()
  for (let i = 0; i < 120; i++) {
    await page.mouse.move(x + 300 * Math.sin(i / 12), y)
    await sleep(16)
  }
  await page.mouse.up()
})
await frames('zoomed by the wheel', async () => {
  await page.keyboard.down('Control')
  for (let i = 0; i < 90; i++) {
    await page.mouse.wheel(0, i % 30 < 15 ? -12 : 12)
    await sleep(16)
  }
  await page.keyboard.up('Control')
})
await frames('scrolled', async () => {
  for (let i = 0; i < 90; i++) {
    await page.mouse.wheel(0, i < 45 ? 40 : -40)
    await sleep(16)
  }
})
await frames('pointed at', async () => {
  for (let i = 0; i < 120; i++) {
    await page.mouse.move(x + 400 * Math.sin(i / 20), y + 80 * Math.cos(i / 9))
    await sleep(16)
  }
})
await page.screenshot({ path: path.join(process.env.ARTIFACTS ?? '/tmp', `bars-${bars}.png`) })
await chrome.close()
await server.stop()
process.exit(0)
