// What the demo's grids do not have: sources with budgets and in quarantine,
// prices below zero, forecasts of several, and no source at all. The console is
// the built one, over the invented world.
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { browser, complaints, invented, pictures, sideways, sleep, violations } from './house.mjs'

let chrome, full, empty

before(async () => {
  const world = async (many) => {
    process.env.CLUSY_WORLD = many
    process.env.CLUSY_RATE = '60'
    return invented((await import(`../dev/world.mjs?${many}`)).answer)
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

const places = { 'rich-zones': () => `${full.url}/zones`, 'rich-zone': () => `${full.url}/zones/DE-LU?back=2`, 'rich-signals': () => `${full.url}/signals`, 'empty-signals': () => `${empty.url}/signals` }
const looks = [['light', 1280, 800], ['dark', 1280, 800], ['light', 390, 844], ['dark', 390, 844], ['light', 760, 900], ['dark', 2560, 1300]]
for (const [colorScheme, width, height] of looks)
  for (const name of Object.keys(places))
    test(`${name}, ${colorScheme}, ${width} px: nothing to complain about`, async () => {
      const { page, said, close } = await open(places[name](), { width, height, colorScheme })
      await page.screenshot({ path: path.join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true })
      const bad = await violations(page)
      assert.deepEqual(bad, [], bad.join('\n'))
      assert.equal(await sideways(page), 0, 'the page scrolls sideways')
      assert.deepEqual(said, [])
      await close()
    })

test('signals in words: budgets, trouble, quarantine, grades; a zone leads to its page', async () => {
  const { page, close } = await open(`${full.url}/signals`)
  const text = (await page.locator('main').innerText()).replace(/\s+/g, ' ')
  assert.match(text, /873 of 1 000 in 24 h exhausted at \w+ \d+ \w+ \d\d:\d\d at this pace, in \d+ h/)
  assert.match(text, /3 000 of 3 000 in 5 m used up not asked before/)
  assert.match(text, /no limit is known/)
  assert.match(text, /as many as wanted/)
  assert.match(text, /none since the start/)
  assert.match(text, /Quarantine: energy-charts is not believed here: says 91/)
  assert.match(text, /E a yearly mean: never claimed as savings/)
  await page.keyboard.press('2')
  await page.getByRole('heading', { name: 'Zones' }).waitFor()
  await page.keyboard.press('6')
  await page.getByRole('link', { name: 'PL' }).click()
  await page.getByRole('heading', { name: 'PL' }).waitFor()
  await page.getByText('Unknown: no source tells the prices of this zone').waitFor()
  await close()
})

test('no source at all: what that means and what to do', async () => {
  const { page, close } = await open(`${empty.url}/signals`)
  const text = await page.locator('main').innerText()
  assert.match(text, /No source is connected/)
  assert.match(text, /grade E/)
  assert.match(text, /clusy serve --zone DE-LU --signals intensity\.csv/)
  await close()
})

test('a zone: prices below zero are said and drawn, weights and errors are in a table', async () => {
  const { page, close } = await open(`${full.url}/zones/DE-LU`)
  await page.getByText(/below zero for \d+ h in these hours/).waitFor()
  assert.ok((await page.locator('path.minus').getAttribute('d')).length > 10)
  const slider = page.getByRole('slider', { name: 'Price of electricity at DE-LU, EUR per kilowatt-hour' })
  await slider.focus()
  await page.keyboard.press('Home')
  assert.match(await slider.getAttribute('aria-valuetext'), /−?\d\.\d{3} EUR\/kWh.*energy-charts/)
  const rests = (await page.getByRole('region', { name: 'What the forecast rests on, as a table' }).innerText()).replace(/\s+/g, ' ')
  assert.match(rests, /electricity-maps 71 % 6\.9 % off 55 % 10\.4 % off 31 % 15\.8 % off 6\.2 % 96 forecasts/)
  await close()
})

test('the strips walk by the keys, hour by hour and zone by zone', async () => {
  const { page, close } = await open(`${full.url}/zones`)
  const first = page.getByRole('listbox', { name: /Hours of/ }).first()
  const cells = first.getByRole('option')
  assert.equal(await cells.count(), 96)
  await cells.first().focus()
  await page.keyboard.press('ArrowRight')
  const here = await page.evaluate(() => document.activeElement.getAttribute('aria-label'))
  assert.match(here, /measured, grade A/)
  await page.keyboard.press('ArrowDown')
  const below = await page.evaluate(() => document.activeElement.getAttribute('aria-label'))
  assert.equal(below.slice(0, 16), here.slice(0, 16))
  assert.notEqual(below, here)
  await page.getByRole('button', { name: '24 h ahead' }).click()
  assert.match(page.url(), /\?hours=24$/)
  assert.equal(await cells.count(), 48)
  await close()
})

test('a zone on paper and in forced colours leaves nothing out', async () => {
  const { page, said, close } = await open(`${full.url}/zones/DE-LU?back=2`)
  await page.emulateMedia({ media: 'screen', forcedColors: 'active' })
  await page.screenshot({ path: path.join(pictures, 'zone-forced-colours.png'), fullPage: true })
  await page.emulateMedia({ forcedColors: 'none' })
  await page.pdf({ path: path.join(pictures, 'zone.pdf'), format: 'A4', landscape: true })
  // What is folded away on a screen is open on paper.
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')))
  await page.getByRole('region', { name: /what came and what was expected, as a table/ }).waitFor()
  assert.deepEqual(said, [])
  await close()
})
