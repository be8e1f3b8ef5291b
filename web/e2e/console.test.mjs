// The console as people use it: the real binary, the real browser, the demo.
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { browser, clusy, complaints, freePort, pictures, scratch, sideways, sleep, start, violations } from './house.mjs'

let server, chrome, state, ids

before(async () => {
  server = await start(['demo', '--stay', '--speed', '10m', '--listen', '127.0.0.1:0', '--data', scratch()])
  chrome = await browser()
})
after(async () => {
  await chrome?.close()
  await server?.stop()
})

async function open(where, { width = 1280, height = 800, scheme = 'light', ...more } = {}) {
  const context = await chrome.newContext({ viewport: { width, height }, colorScheme: scheme, hasTouch: width < 500, storageState: state, ...more })
  const page = await context.newPage()
  const said = complaints(page)
  await page.goto(server.url + where)
  await page.locator('h1').first().waitFor()
  return { page, said, close: () => context.close() }
}

test('the printed link signs in, once, and leaves no code in the address', async () => {
  const context = await chrome.newContext()
  const page = await context.newPage()
  const said = complaints(page)
  await page.goto(server.link)
  await page.getByRole('heading', { name: 'Timeline' }).waitFor()
  assert.equal(page.url(), server.url + '/')
  const cookies = await context.cookies()
  assert.equal(cookies.length, 1)
  assert.ok(cookies[0].httpOnly && cookies[0].sameSite !== 'None', JSON.stringify(cookies[0]))
  assert.deepEqual(said, [])
  state = await context.storageState()
  await context.close()

  const other = await chrome.newContext()
  const again = await other.newPage()
  const saidAgain = complaints(again)
  await again.goto(server.link)
  await again.getByRole('alert').waitFor()
  assert.match(await again.locator('main').innerText(), /clusy console/)
  assert.doesNotMatch(again.url(), /#/)
  // Without a session every page leads here, and remembers where one wanted to go.
  await again.goto(server.url + '/savings')
  await again.waitForURL('**/sign-in?next=%2Fsavings')
  // The used link is refused, which the browser says; nothing else is wrong.
  assert.deepEqual(saidAgain.filter((s) => !s.includes('/v1/sessions')), [])
  assert.deepEqual(await violations(again), [])
  await other.close()
})

test('the demo submits its intents', async () => {
  const { page, close } = await open('/')
  for (let i = 0; ; i++) {
    ids = await page.evaluate(async () => (await (await fetch('/v1/timeline')).json()).items.map((b) => b.id))
    if (ids.length === 3) break
    assert.ok(i < 200, 'the three intents of the demo did not come')
    await sleep(500)
  }
  await close()
})

const pages = { timeline: '/?span=fit', table: '/?span=fit&view=table', workload: '', zones: '/zones', zone: '/zones/DE-LU', signals: '/signals', sites: '/sites', savings: '/savings', nowhere: '/workloads/wl_none' }
for (const scheme of ['light', 'dark'])
  for (const [width, height] of [[1280, 800], [390, 844]])
    for (const name of Object.keys(pages))
      test(`${name}, ${scheme}, ${width} px: nothing to complain about`, async () => {
        const where = pages[name] || `/workloads/${ids.at(-1)}`
        const { page, said, close } = await open(where, { width, height, scheme })
        await page.waitForFunction(() => !document.querySelector('.skeleton'))
        await sleep(600)
        await page.screenshot({ path: path.join(pictures, `${name}-${width}-${scheme}.png`) })
        const bad = await violations(page)
        assert.deepEqual(bad, [], bad.join('\n'))
        assert.equal(await sideways(page), 0, 'the page scrolls sideways')
        assert.match(await page.title(), /\S+ · Clusy/)
        // What is not there is a 404, which a browser writes to its console: a
        // workload, and the forecast of a day before the demo began.
        const not = { nowhere: /404/, zone: /404.*\/forecast\?at=/ }[name]
        assert.deepEqual(said.filter((s) => !not?.test(s)), [])
        await close()
      })

test('from a bar to its workload, its reasons and its output, which only this tab can read', async () => {
  const { page, said, close } = await open('/?span=fit')
  await page.locator('text.m-text', { hasText: 'train-model' }).waitFor()
  const label = await page.locator('text.m-text', { hasText: 'train-model' }).boundingBox()
  await page.mouse.move(label.x + 8, label.y + 20)
  await page.locator('.card').waitFor()
  await page.mouse.click(label.x + 8, label.y + 20)
  await page.getByRole('heading', { name: 'train-model' }).waitFor()
  assert.match(page.url(), /\/workloads\/wl_/)
  await page.getByText('train-model begins').waitFor()
  assert.match(await page.getByRole('region', { name: 'The decision and what was rejected' }).innerText(), /chosen/)
  await page.goBack()
  await page.getByRole('heading', { name: 'Timeline' }).waitFor()
  // The server has never had the name or the output.
  const seen = await page.evaluate(async (ids) => (await Promise.all(ids.flatMap((id) => [`/v1/workloads/${id}`, `/v1/workloads/${id}/events`, '/v1/timeline'].map(async (u) => (await fetch(u)).text())))).join(), ids)
  assert.doesNotMatch(seen, /train-model/)
  assert.deepEqual(said, [])
  await close()
})

test('by the keys alone: along the bars, into one, along a curve, the help', async () => {
  const { page, said, close } = await open('/?span=fit')
  const list = page.getByRole('listbox', { name: /Workloads at DE-LU/ })
  await list.focus()
  const heard = () => list.getByRole('option').innerText()
  await page.keyboard.press('Home')
  const first = await heard()
  await page.keyboard.press('ArrowRight')
  assert.notEqual(await heard(), first)
  const curve = page.getByRole('slider', { name: /DE-LU/ })
  await curve.focus()
  const before = await curve.getAttribute('aria-valuetext')
  assert.match(before, /grams per kilowatt-hour.*(measured|forecast), grade/)
  await page.keyboard.press('ArrowLeft')
  assert.notEqual(await curve.getAttribute('aria-valuetext'), before)
  await page.keyboard.press('+')
  await page.waitForURL(/from=.*&to=/)
  await page.keyboard.press('n')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  assert.deepEqual(await violations(page), [])
  await page.keyboard.press('Escape')
  await list.focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/workloads\/wl_/)
  assert.deepEqual(said, [])
  await close()
})

test('the table is the same, sorts, filters, and is in the address', async () => {
  const { page, said, close } = await open('/?span=fit')
  await page.getByRole('button', { name: 'Table' }).click()
  await page.waitForURL(/view=table/)
  await page.locator('tbody tr').nth(2).waitFor()
  assert.equal(await page.getByRole('region', { name: 'Workloads as a table' }).locator('tbody tr').count(), 3)
  await page.getByRole('button', { name: 'Complete by' }).click()
  assert.equal(await page.locator('th[aria-sort]').innerText(), 'Complete by')
  assert.match(page.url(), /sort=by/)
  await page.locator('.chip').first().click()
  assert.match(page.url(), /state=/)
  await page.reload()
  await page.locator('.chip[aria-pressed=true]').waitFor() // also when no workload is in that state any more
  assert.deepEqual(said, [])
  await close()
})

test('a zone: what came beside what was expected a day ago, by pointer, keys and table, and in the address', async () => {
  const { page, said, close } = await open('/zones')
  await page.getByRole('link', { name: 'DE-LU' }).click()
  await page.getByRole('heading', { name: 'DE-LU' }).waitFor()
  // The demo's own day has to pass before there is a forecast of a day ago.
  await page.getByText(/Its error so far: [\d.]+ % on average over \d+ hours? that came/).waitFor({ timeout: 240_000 })
  const chart = page.getByRole('slider', { name: 'Carbon intensity at DE-LU' })
  await chart.focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('ArrowRight')
  const heard = await chart.getAttribute('aria-valuetext')
  assert.match(heard, /\d+ g\/kWh measured, grade [A-E], \S+; expected a day ago: \d+ \(90 % band \d+ to \d+\), [\d.]+ % too (low|high)/)
  await page.locator('summary', { hasText: 'The same as a table' }).click()
  const rows = page.getByRole('region', { name: /what came and what was expected, as a table/ }).locator('tbody tr')
  assert.ok((await rows.count()) > 90)
  assert.match(await page.getByRole('region', { name: 'What the forecast rests on, as a table' }).innerText(), /clusy\/built-in\s+100 %/)
  await page.getByRole('button', { name: '2 d back' }).click()
  await page.getByRole('button', { name: '24 h ahead' }).click()
  assert.match(page.url(), /\/zones\/DE-LU\?back=2&hours=24$/)
  await page.reload()
  await page.getByRole('heading', { name: /expected two days ago/ }).waitFor()
  await page.getByRole('combobox', { name: 'Zone' }).selectOption('ES')
  await page.waitForURL(/\/zones\/ES\?back=2&hours=24$/)
  assert.deepEqual(said.filter((s) => !/404.*\/forecast\?at=/.test(s)), [])
  await close()
})

test('the theme is remembered, and signing out ends the session', async () => {
  const { page, close } = await open('/zones')
  await page.getByRole('button', { name: 'Session and settings' }).click()
  await page.getByRole('button', { name: 'dark', exact: true }).click()
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark')
  assert.deepEqual(await violations(page), [])
  await page.reload()
  await page.getByRole('heading', { name: 'Zones' }).waitFor()
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark')
  await close()
})

test('print and forced colours leave nothing out', async () => {
  const { page, said, close } = await open(`/workloads/${ids.at(-1)}`)
  await page.getByText('train-model begins').waitFor()
  await page.emulateMedia({ media: 'print' })
  await page.screenshot({ path: path.join(pictures, 'workload-print.png'), fullPage: true })
  assert.equal(await page.locator('header').isVisible(), false)
  await page.pdf({ path: path.join(pictures, 'workload.pdf'), format: 'A4' })
  await page.emulateMedia({ media: 'screen', forcedColors: 'active' })
  await page.screenshot({ path: path.join(pictures, 'workload-forced-colours.png') })
  assert.deepEqual(said, [])
  await close()
})

test('the policy holds: no inline script, no foreign origin', async () => {
  const r = await fetch(server.url + '/')
  const policy = r.headers.get('content-security-policy')
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /require-trusted-types-for 'script'/)
  assert.doesNotMatch(policy, /unsafe|https?:/)
})

test('a server that was away: the stream resumes, and what is new arrives by itself', async () => {
  const port = await freePort()
  const args = ['serve', '--zone', 'DE-LU', '--listen', `127.0.0.1:${port}`, '--data', scratch()]
  let serve = await start(args)
  try {
    const token = await serve.token()
    const context = await chrome.newContext({ viewport: { width: 1280, height: 800 } })
    const page = await context.newPage()
    await page.goto(serve.link)
    await page.getByText('Nothing has been submitted yet').waitFor()
    await page.screenshot({ path: path.join(pictures, 'empty-1280-light.png') })
    assert.deepEqual(await violations(page), [])

    await clusy(serve, token, 'run', '--detach', '--name', 'first', '--by', '+12h', '--for', '1h', '--', 'sh', '-c', 'sleep 600')
    await page.locator('text.m-text', { hasText: 'first' }).waitFor({ timeout: 20_000 })
    await page.evaluate(() => (globalThis.stays = true))

    await serve.stop()
    await page.getByRole('button', { name: /stale for/ }).waitFor({ timeout: 20_000 })
    serve = await start(args)
    await clusy(serve, token, 'run', '--detach', '--name', 'second', '--by', '+12h', '--for', '1h', '--', 'sh', '-c', 'sleep 600')
    await page.locator('text.m-text', { hasText: 'second' }).waitFor({ timeout: 30_000 })
    assert.equal(await page.evaluate(() => globalThis.stays), true, 'the page was loaded anew')

    // Cancel, with a second thought in between.
    await page.getByRole('button', { name: 'Table' }).click()
    await page.getByRole('link', { name: 'second' }).click()
    await page.getByRole('heading', { name: 'second' }).waitFor()
    await page.getByRole('button', { name: 'Cancel …' }).click()
    const dialog = page.getByRole('dialog', { name: /Cancel second/ })
    await dialog.waitFor()
    assert.deepEqual(await violations(page), [])
    await page.screenshot({ path: path.join(pictures, 'cancel-1280-light.png') })
    await dialog.getByRole('button', { name: 'Keep it' }).click()
    await page.getByRole('button', { name: 'Cancel …' }).click()
    await dialog.getByRole('button', { name: 'Cancel the workload' }).click()
    await page.locator('.head .state', { hasText: 'cancelled' }).waitFor({ timeout: 30_000 })

    await page.getByRole('button', { name: 'Session and settings' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL('**/sign-in')
    await page.goto(serve.url + '/')
    await page.waitForURL('**/sign-in')
    await context.close()
  } finally {
    await serve.stop()
  }
})
