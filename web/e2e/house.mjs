// Starts the real binary and a real browser for the tests beside this file.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const binary = process.env.CLUSY_BIN ?? path.join(root, 'bin', 'clusy')
export const pictures = process.env.ARTIFACTS ?? path.join(root, 'artifacts', 'console')
fs.mkdirSync(pictures, { recursive: true })

export function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

export function scratch() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clusy-e2e-'))
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

export async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1')
  await new Promise((f) => s.once('listening', f))
  const { port } = s.address()
  await new Promise((f) => s.close(f))
  return port
}

/** Starts a server and waits for the link that it prints. */
export async function start(args) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
  let out = ''
  child.stdout.on('data', (d) => (out += d))
  child.stderr.on('data', (d) => (out += d))
  const find = async (pattern, what) => {
    for (let i = 0; i < 300; i++) {
      const m = pattern.exec(out)
      if (m) return m[0]
      if (child.exitCode !== null) break
      await sleep(100)
    }
    throw new Error(`${what} did not come. It wrote:\n${out}`)
  }
  const link = await find(/http:\/\/127\.0\.0\.1:\d+\/sign-in#\S+/, 'the link')
  return {
    link,
    url: new URL(link).origin,
    token: () => find(/clsy_[A-Za-z0-9_-]{20,}/, 'the token'),
    out: () => out,
    async stop() {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await new Promise((f) => child.once('exit', f))
    },
  }
}

const dist = path.join(root, 'internal', 'web', 'dist')
const kinds = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html' }

/** Serves the console as it is built, over the invented world: what no demo has can be looked at. */
export async function invented(answer) {
  const server = http.createServer((req, res) =>
    answer(req, res, () => {
      const file = path.join(dist, req.url.startsWith('/assets/') ? req.url : 'index.html')
      if (!fs.existsSync(file)) return res.writeHead(404).end()
      res.writeHead(200, { 'content-type': kinds[path.extname(file)] }).end(fs.readFileSync(file))
    }),
  )
  await new Promise((f) => server.listen(0, '127.0.0.1', f))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise((f) => server.close(f))
    },
  }
}

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Violations of the accessibility rules, in words. axe is put in by the
 * debugger's own door, which no policy of the page closes. */
export async function violations(page) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
  return violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n` + v.nodes.slice(0, 4).map((n) => `    ${n.target.join(' ')}  ${n.failureSummary.split('\n')[1] ?? ''}`).join('\n'))
}

/** How far the page can be scrolled sideways, in pixels. */
export const sideways = (page) => page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth))

/** Runs one command of the command line. */
export async function clusy(server, token, ...args) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, CLUSY_URL: server.url, CLUSY_TOKEN: token, NO_COLOR: '1' } })
  let out = ''
  child.stdout.on('data', (d) => (out += d))
  child.stderr.on('data', (d) => (out += d))
  const code = await new Promise((f) => child.once('exit', f))
  if (code !== 0) throw new Error(`clusy ${args.join(' ')} ended with ${code}:\n${out}`)
  return out
}

/** Collects what a page complains about. */
export function complaints(page) {
  const list = []
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && list.push(`${m.type()}: ${m.text()} ${m.location().url}`))
  page.on('pageerror', (e) => list.push(`page: ${e.message}`))
  page.on('request', (r) => {
    const u = new URL(r.url())
    if (u.hostname !== '127.0.0.1' && u.protocol.startsWith('http')) list.push(`a request to ${u.host}`)
  })
  return list
}

export const sleep = (ms) => new Promise((f) => setTimeout(f, ms))
