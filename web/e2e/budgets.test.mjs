// Budgets and queues as the console shows them, over the invented world and over
// the real binary.
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { browser, complaints, invented, pictures, sideways, sleep, violations } from './house.mjs'

let chrome, full, empty

before(async () => {
  const world = async (many) => {
    process.env.CLUSY_WORLD = many
    process.env.CLUSY_RATE = '60'
    return invented((await import(`../dev/world.mjs?budgets${many}`)).answer)
  }
  full = await world('60')
  empty = await world('0')
  chrome = await browser()
})
after(async () => {
  await chrome?.close()
  await full?.stop()
  await empty?.stop()
})

async function open(url, { width = 1280, height = 800, ...more } = {}) {
  const context = await chrome.newContext({ viewport: { width, height }, hasTouch: width < 500, ...more })
  const page = await context.newPage()
  const said = complaints(page)
  await page.goto(url)
  await page.locator('h1').first().waitFor()
  await page.waitForFunction(() => !document.querySelector('.skeleton'))
  await sleep(500)
  return { page, said, close: () => context.close() }
}

for (const [colorScheme, width, height] of [['light', 1280, 800], ['dark', 1280, 800], ['light', 390, 844], ['dark', 390, 844], ['light', 760, 900]])
  for (const [name, server] of [['budgets', () => full], ['empty-budgets', () => empty]])
    test(`${name}, ${colorScheme}, ${width} px: nothing to complain about`, async () => {
      const { page, said, close } = await open(`${server().url}/budgets`, { width, height, colorScheme })
      await page.screenshot({ path: path.join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true })
      const bad = await violations(page)
      assert.deepEqual(bad, [], bad.join('\n'))
      assert.equal(await sideways(page), 0, 'the page scrolls sideways')
      assert.deepEqual(said, [])
      await close()
    })

test('budgets in words: spent, booked, left, when it is used up and why', async () => {
  const { page, close } = await open(`${full.url}/budgets`)
  const text = (await page.locator('main').innerText()).replace(/\s+/g, ' ')
  assert.match(text, /team-nlp 500\.0 kg a month beyond it, work is refused/)
  assert.match(text, /Spent 310\.0 kg Booked 95\.0 kg Left 95\.0 kg Used up \w+ \d+ \w+ \d\d:\d\d/)
  assert.match(text, /as on the mean of the last 28 days/)
  assert.match(text, /40\.00 EUR a month, for queue nightly beyond it, work is admitted and put on record/)
  assert.match(text, /exceeded by 2\.30 EUR/)
  assert.match(text, /Unknown: 1 h 30 m of running time has no figure/)
  assert.match(text, /Booked 120\.5 GPU-hours/)
  assert.match(text, /not foreseen/)
  assert.match(text, /nightly 2 40 20\.0 % 50\.0 % 31\.0 % 9 1/)
  assert.equal(await page.getByRole('img', { name: /team-nlp: spent 310\.0 kg, booked 95\.0 kg of 500\.0 kg/ }).count(), 1)
  await close()
})

test('no budget: how one is set', async () => {
  const { page, close } = await open(`${empty.url}/budgets`)
  assert.match(await page.locator('main').innerText(), /No budget is set[\s\S]*clusy budget set team --limit "500 kgCO2e"/)
  await close()
})
