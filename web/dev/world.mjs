// An invented world that answers the API, for working on the console without a
// server. It is no part of the build. CLUSY_WORLD=2000 sets how many workloads
// there are (default 60; 0 shows the empty states), CLUSY_RATE its speed.
const many = Number(process.env.CLUSY_WORLD ?? 60)
const rate = Number(process.env.CLUSY_RATE ?? 1200)
const H = 3600_000
const start = Date.parse('2023-06-07T02:00:00Z')
const t0 = performance.now()
const now = () => start + (performance.now() - t0) * rate
const iso = (t) => new Date(t).toISOString()

function random(seed) {
  let s = seed >>> 0
  return () => {
    s = (s + 0x6d2b79f5) >>> 0
    let t = Math.imul(s ^ (s >>> 15), 1 | s)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
const rnd = random(7)
const pick = (list) => list[Math.floor(rnd() * list.length)]

const zones = [
  { zone: 'DE-LU', base: 330, swing: 120, solar: 150, name: 'Germany and Luxembourg', annual: 344 },
  { zone: 'ES', base: 190, swing: 40, solar: 90, name: 'Spain', annual: 136 },
  { zone: 'SE-SE3', base: 32, swing: 8, solar: 4, name: 'South Central Sweden', annual: 25 },
  { zone: 'PL', base: 640, swing: 90, solar: 120, name: 'Poland', annual: 615 },
]
const sites = [
  { id: 'berlin', zone: 'DE-LU', slots: 8 },
  { id: 'madrid', zone: 'ES', slots: 4 },
  { id: 'frankfurt-hpc', zone: 'DE-LU', cpus: 512, memoryMiB: 2097152, watts: 90000 },
]
function g(z, t) {
  const h = (t / H) % 24
  const d = Math.floor(t / H / 24)
  const sun = Math.max(0, Math.sin(((h - 5) / 15) * Math.PI)) * (0.7 + 0.3 * Math.sin(d * 2.1))
  const wind = Math.sin(t / H / 17 + z.base) * 0.5 + Math.sin(t / H / 5.3) * 0.2
  return Math.max(12, z.base + z.swing * wind - z.solar * sun + 25 * Math.sin(((h - 19) / 24) * 2 * Math.PI) * (z.base / 300))
}
function outlook(z, from, to, n) {
  const points = []
  const horizon = n + 72 * H
  const issued = Math.floor(n / H) * H
  for (let t = Math.floor(from / (H / 2)) * (H / 2); t < Math.min(to, horizon); t += H / 2) {
    const forecast = t > n - H
    const v = g(z, t)
    const wide = forecast ? v * (0.06 + 0.2 * Math.min(1, (t - n + H) / (48 * H))) : 0
    points.push({
      start: iso(t), gramsPerKWh: Number(v.toFixed(2)), ...(forecast ? { low: v - wide, high: v + wide } : {}),
      forecast, grade: forecast ? 'C' : 'A', provider: forecast ? 'clusy/anchored-climatology' : 'bundled/electricity-maps-2023', issued: iso(forecast ? issued : t + H),
    })
  }
  return { zone: z.zone, points }
}
const mean = (z, from, to) => {
  let s = 0, n = 0
  for (let t = from; t < to; t += H / 4) (s += g(z, t)), n++
  return n ? s / n : g(z, from)
}

const hex = (n) => Array.from({ length: n }, () => Math.floor(rnd() * 16).toString(16)).join('')
const works = []
const spread = many > 500 ? 160 * H : 40 * H
for (let i = 0; i < many; i++) {
  const created = start - spread + ((spread + 20 * H) * i) / Math.max(1, many) + rnd() * H
  const site = pick(sites)
  const z = zones.find((z) => z.zone === site.zone)
  const work = pick([1, 2, 2, 3, 4, 6, 8]) * H * (0.7 + rnd() * 0.6)
  const slack = pick([2, 6, 8, 12, 18, 24]) * H
  const completeBy = created + work + slack
  let best = created, bestG = Infinity
  for (let t = created; t + work <= completeBy - H / 2; t += H / 2) {
    const m = mean(z, t, t + work)
    if (m < bestG - 4) (bestG = m), (best = t)
  }
  const home = rnd() < 0.8 ? site : sites[0]
  const interruptible = rnd() < 0.3 && work > 2 * H
  const pause = interruptible && completeBy - (best + work) > 3 * H ? 2 * H : 0
  const cut = work * 0.4
  const spans = pause ? [[best, best + cut], [best + cut + pause, best + work + pause]] : [[best, best + work]]
  const end = spans.at(-1)[1]
  const luck = rnd()
  works.push({
    id: `wl_01a2${hex(4)}-${hex(4)}-7${hex(3)}-9${hex(3)}-${hex(12)}`, name: pick(['train-model', 'nightly-report', 'render-film', 'etl-orders', 'backup-verify', 'embed-corpus', 'fluid-sim', 'ci-soak']) + (rnd() < 0.5 ? '-' + Math.floor(rnd() * 90) : ''),
    created, site, z, work, completeBy, spans, end, interruptible, home, watts: pick([400, 800, 1200, 2000, 15000]), fate: luck < 0.04 ? 'failed' : luck < 0.07 ? 'cancelled' : luck < 0.085 ? 'late' : 'ok', cancelAt: best + work * 0.3,
  })
}
const late = (w) => (w.fate === 'late' ? w.completeBy - w.end + 1.2 * H : 0)
function bar(w, n) {
  const shift = late(w)
  const spans = w.spans.map(([a, b]) => [a + shift, b + shift])
  const end = w.end + shift
  const died = w.fate === 'failed' ? spans[0][0] + w.work * 0.25 : w.fate === 'cancelled' ? Math.max(w.cancelAt, w.created + H) : Infinity
  const stop = Math.min(n, end, died)
  const ran = spans.filter(([a]) => a < stop).map(([a, b]) => [a + 90_000, Math.min(b, stop)]).filter(([a, b]) => b > a)
  let state = 'planned'
  if (n > died) state = w.fate
  else if (n >= end) state = 'succeeded'
  else if (spans.some(([a, b]) => n >= a && n < b)) state = 'running'
  else if (n >= spans[0][0]) state = 'suspended'
  else if (spans[0][0] - n < 6 * H) state = 'held'
  const kWh = (w.watts * w.work * 1.2) / H / 1000
  const hz = zones.find((z) => z.zone === w.home.zone)
  const runNow = kWh * mean(hz, w.created, w.created + w.work)
  const expected = kWh * mean(w.z, spans[0][0], end) * 0.98
  const share = ran.reduce((s, [a, b]) => s + b - a, 0) / w.work
  const booked = Math.floor(share * 10) / 10
  const emitted = expected * 1.03 * booked
  return {
    id: w.id, state, site: w.site.id, zone: w.z.zone, created: iso(w.created), changed: iso(Math.min(n, w.created + H)), completeBy: iso(w.completeBy), expectedSeconds: w.work / 1000, watts: w.watts, interruptible: w.interruptible,
    ...(state === 'failed' ? { cause: 'exit code 137: out of memory' } : {}),
    spans: spans.map(([a, b]) => ({ start: iso(a), end: iso(b) })), reservedUntil: iso(end + w.work * 0.1), latestStart: iso(w.completeBy - w.work), ran: ran.map(([a, b]) => ({ start: iso(a), end: iso(b) })),
    baseline: { rule: 'run-now', site: w.home.id, zone: w.home.zone, start: iso(w.created), end: iso(w.created + w.work) },
    expectedGrams: expected, runNowGrams: runNow, grade: 'C', ...(booked > 0 ? { emittedGrams: emitted, baselineGrams: runNow * booked, savedGrams: runNow * booked - emitted } : {}),
    booked: state === 'succeeded', ...(n > w.completeBy && end > w.completeBy ? { missedAt: iso(w.completeBy) } : {}), attempts: ran.length ? 1 : 0,
  }
}
const visible = (n) => works.filter((w) => w.created <= n)

function placement(w, n) {
  const b = bar(w, n)
  const alt = (d, site, cause, dc) => ({ site, start: iso(w.spans[0][0] + d), finish: iso(w.end + d), cause, carbonGrams: b.expectedGrams + dc, carbonDeltaGrams: dc, finishDeltaSeconds: d / 1000 })
  return {
    site: w.site.id, spans: b.spans, reservedUntil: b.reservedUntil, latestStart: b.latestStart, energyKWh: (w.watts * w.work * 1.2) / H / 1000, carbonGrams: b.expectedGrams, grade: 'C',
    why: {
      binding: 'complete-by', text: `Waits ${Math.round((w.spans[0][0] - w.created) / H)} h for 208 g/kWh at ${w.z.zone}; now it is 339; what is cleaner ends too late.`,
      signals: [{ zone: w.z.zone, provider: 'clusy/anchored-climatology', issued: iso(w.created - H / 2), grade: 'C', basis: 'average/lifecycle', ref: hex(64) }],
      runNow: { site: w.home.id, start: iso(w.created), finish: iso(w.created + w.work), carbonGrams: b.runNowGrams, carbonDeltaGrams: b.runNowGrams - b.expectedGrams, finishDeltaSeconds: (w.created - w.spans[0][0]) / 1000 },
      rejected: [alt(6 * H, w.site.id, 'late', -31), alt(-1.5 * H, w.site.id, 'full', -12), alt(-3 * H, w.home.id, 'dirtier', 210)], considered: 62, fell: { dirtier: 41, late: 14, full: 6 },
    },
  }
}
function workload(w, n) {
  const b = bar(w, n)
  return {
    id: w.id, state: b.state, rev: 5, ...(b.cause ? { cause: b.cause } : {}),
    shape: { duration: { expectedSeconds: b.expectedSeconds, p95Seconds: b.expectedSeconds * 1.1, maxSeconds: b.expectedSeconds * 2 }, watts: w.watts, powerSource: 'declared', cpus: 4, interruptible: w.interruptible ? { allowed: true, overheadSeconds: 300, minRunSeconds: 3600, maxSuspensions: 3 } : undefined, when: { completeBy: b.completeBy }, where: { allow: ['berlin', 'madrid'] }, objective: { minimize: 'carbon' }, policy: { promise: 'once', priority: 50, onNoSignal: 'run-by-deadline', baseline: 'run-now' } },
    enclave: 'ek_u2lky2tgcuomf4kid2km7c5avy', created: b.created, changed: b.changed, plan: placement(w, n), baseline: b.baseline,
    attempts: b.ran.length ? [{ n: 1, site: w.site.id, state: b.state, started: b.ran[0].start, ...(b.state === 'succeeded' || b.state === 'failed' ? { ended: b.ran.at(-1).end, exitCode: b.state === 'failed' ? 137 : 0 } : {}), ...(b.cause ? { cause: b.cause } : {}), activeSeconds: b.ran.reduce((s, r) => s + (Date.parse(r.end) - Date.parse(r.start)) / 1000, 0), suspensions: b.ran.length - 1 }] : [],
    missedAt: b.missedAt, ...(b.emittedGrams != null ? { account: { entries: 5, energyKWh: 9.66, emittedGrams: b.emittedGrams, baselineGrams: b.baselineGrams, savedGrams: b.savedGrams, grade: 'A', complete: b.booked } } : {}),
  }
}
function eventsOf(w, n) {
  const b = bar(w, n)
  const list = [['workload.submitted', w.created, '', 'accepted'], ['workload.moved', w.created, 'accepted', 'planned'], ['workload.placed', w.created, '', '', { plan: hex(64), site: w.site.id }], ['workload.moved', w.created + 60_000, 'planned', 'offered'], ['workload.moved', w.created + 90_000, 'offered', 'held']]
  for (const r of b.ran) list.push(['workload.moved', Date.parse(r.start), 'held', 'running'])
  return list.map(([kind, t, from, to, detail], i) => ({ index: 100 + i, at: iso(t), actor: i < 3 ? 'token:house' : `site:${w.site.id}`, kind, object: `workload:${w.id}`, ...(from ? { from } : {}), ...(to ? { to } : {}), ...(detail ? { detail } : {}) }))
}
function entriesOf(w, n) {
  const out = []
  for (const r of bar(w, n).ran)
    for (let h = Math.floor(Date.parse(r.start) / H) * H; h < Date.parse(r.end); h += H) {
      const kWh = (w.watts * 1.2) / 1000
      const i = g(w.z, h)
      const base = kWh * g(zones[0], w.created)
      out.push({ index: 500 + out.length * 7, workload: w.id, attempt: 1, site: w.site.id, zone: w.z.zone, hour: iso(h), activeSeconds: 3600, energyKWh: kWh, energySource: 'declared', pue: 1.2, gramsPerKWh: i, emittedGrams: kWh * i, baselineGrams: base, savedGrams: base - kWh * i, claimed: true, grade: 'A', method: 'clusy.io/attempt-hour/v1' })
    }
  return out
}
function savings(n) {
  const parts = new Map()
  const add = (kind, key, e) => {
    const k = kind + key
    const p = parts.get(k) ?? { kind, key, entries: 0, energyKWh: 0, emittedGrams: 0, baselineGrams: 0, savedGrams: 0 }
    p.entries++, (p.energyKWh += e.energyKWh), (p.emittedGrams += e.emittedGrams), (p.baselineGrams += e.baselineGrams), (p.savedGrams += e.savedGrams)
    parts.set(k, p)
  }
  for (const w of visible(n).slice(-400)) for (const e of entriesOf(w, n)) add('t', '', e), add('day', e.hour.slice(0, 10), e), add('zone', e.zone, e), add('grade', e.grade, e)
  const by = (kind) => [...parts.values()].filter((p) => p.kind === kind).sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ kind, ...p }) => p)
  const t = by('t')[0] ?? { entries: 0, energyKWh: 0, emittedGrams: 0, baselineGrams: 0, savedGrams: 0 }
  const days = by('day')
  return { ...t, unclaimed: 3, byDay: days, byZone: by('zone'), byGrade: by('grade'), asOf: index, ...(days.length ? { first: days[0].key + 'T00:00:00Z', last: iso(n) } : {}) }
}

function budgets(n) {
  if (!works.length) return []
  const from = new Date(n)
  const start = Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), 1)
  const to = Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1)
  const b = (more) => ({ period: 'month', utcOffset: '+00:00', then: 'hold', changed: iso(start), from: iso(start), to: iso(to), unknownSeconds: 0, exceeded: false, why: '', ...more, left: more.limit - more.spent - more.booked })
  return [
    b({ name: 'team-nlp', measure: 'gCO2e', limit: 500_000, spent: 310_000, booked: 95_000, exhausted: iso(n + 30 * H), ratePerDay: 41_000, why: '310.0 kg CO2e is spent and 95.0 kg CO2e booked; more comes at 41.0 kg CO2e a day, as on the mean of the last 28 days.' }),
    b({ name: 'night-power', queue: 'nightly', measure: 'money', currency: 'EUR', limit: 40, spent: 38.2, booked: 4.1, then: 'alert', exceeded: true, exhausted: iso(n), unknownSeconds: 5400, why: 'What is spent and booked takes all of it.' }),
    b({ name: 'gpus', measure: 'gpu-hours', limit: 900, spent: 0, booked: 120.5, then: 'run', why: 'Nothing of it was spent in the last 4 weeks: there is no rate to reckon with.' }),
  ]
}

let index = 1000
let signedIn = true
const streams = new Set()
let before = new Map()
setInterval(() => {
  const n = now()
  for (const w of works) {
    if (w.created > n) continue
    const s = bar(w, n).state
    if (before.get(w.id) === s) continue
    const from = before.get(w.id)
    before.set(w.id, s)
    index++
    const e = { index, at: iso(n), actor: 'site:berlin', kind: 'workload.moved', object: `workload:${w.id}`, ...(from ? { from } : {}), to: s }
    for (const r of streams) r.write(`event: event\nid: ${index}\ndata: ${JSON.stringify(e)}\n\n`)
  }
}, 400).unref()
setInterval(() => {
  index++
  const e = { index, at: iso(now()), actor: 'system:signals', kind: 'signal.stored', object: 'zone:DE-LU' }
  for (const r of streams) r.write(`event: event\nid: ${index}\ndata: ${JSON.stringify(e)}\n\n`)
}, 5000).unref()

const extra = ['AL Albania 69', 'AT Austria 119', 'BE Belgium 141', 'BG Bulgaria 316', 'CH Switzerland 47', 'CZ Czechia 449', 'DK-DK1 West Denmark 141', 'FI Finland 62', 'FR France 33', 'GB Great Britain 198', 'IE Ireland 295', 'NL Netherlands 284', 'NO-NO1 Southeast Norway 28', 'PT Portugal 106', 'US-CAL-CISO CAISO 221', 'US-TEX-ERCO ERCOT 371'].map((l) => {
  const [zone, ...rest] = l.split(' ')
  return { zone, name: rest.slice(0, -1).join(' '), annualGramsPerKWh: Number(rest.at(-1)), year: 2025 }
})

// What a forecast said some time ago: the truth, off by more the further ahead.
function forecast(z, at) {
  const issued = Math.floor(at / H) * H
  const points = []
  for (let t = issued; t < issued + 96 * H; t += H / 2) {
    const far = (t - issued) / (96 * H)
    const v = g(z, t) * (1 + 0.25 * far + 0.12 * Math.sin(t / H / 4 + z.base))
    const wide = v * (0.08 + 0.25 * far)
    points.push({ start: iso(t), gramsPerKWh: v, low: v - wide, high: v + wide, forecast: true, grade: 'C', provider: 'clusy/built-in', issued: iso(issued) })
  }
  return { zone: z.zone, provider: 'clusy/built-in', issued: iso(issued), grade: 'C', basis: 'average/lifecycle', points }
}
function prices(z, from, to, n) {
  if (z.zone === 'PL' || z.zone === 'SE-SE3') return []
  const points = []
  for (let t = Math.floor(from / H) * H; t < Math.min(to, (Math.floor(n / H / 24) + 2) * 24 * H); t += H) points.push({ start: iso(t), perKWh: Number((g(z, t) / 2600 - 0.07 + 0.03 * Math.sin(t / H / 3.8)).toFixed(5)) })
  return [{ zone: z.zone, provider: 'energy-charts', currency: 'EUR', issued: iso(n - 5 * H), points }]
}
function signals(n) {
  if (!many) return { asOf: iso(n), sources: [], zones: [{ zone: 'DE-LU', basis: 'average/lifecycle', grade: 'D', forecastIssued: iso(n - H / 3) }, { zone: 'PL', basis: 'average/lifecycle', grade: 'E', forecastIssued: iso(n - H / 3), lastError: 'no provider has this zone', lastErrorAt: iso(n - H / 3) }] }
  const day = (weight, mapePercent) => ({ weight, ...(mapePercent == null ? {} : { mapePercent }) })
  const verdict = { why: 'Electricity Maps is better on the first two days and ours on the third; both have a say by how far off each has been.', days: 36, parts: [{ forecaster: 'electricity-maps', issued: iso(n - 2 * H), issues: 96, regretPercent: 6.2, days: [day(0.71, 6.9), day(0.55, 10.4), day(0.31, 15.8)] }, { forecaster: 'clusy/built-in', issued: iso(n - H / 2), issues: 440, regretPercent: 9.8, days: [day(0.29, 12.5), day(0.45, 12.9), day(0.69, 14.1)] }] }
  const ours = { why: '', days: 36, parts: [{ forecaster: 'clusy/built-in', issued: iso(n - H / 2), issues: 440, days: [day(1, 12.5), day(1, 17.6), day(1)] }] }
  return {
    asOf: iso(n),
    sources: [
      { name: 'electricity-maps', basis: 'average/lifecycle', offers: ['history', 'forecast'], zones: 4, quarantined: 1, asked: 1204, failed: 7, lastSuccess: iso(n - H / 6), lastError: 'GET /v3/carbon-intensity/history: 503 Service Unavailable', lastErrorAt: iso(n - 3 * H), budget: { limit: 1000, windowSeconds: 86400, used: 873, exhausts: iso(n + 3 * H) } },
      { name: 'watttime', basis: 'marginal/direct', offers: ['history', 'forecast'], zones: 2, quarantined: 0, asked: 310, failed: 12, lastSuccess: iso(n - 9 * H), lastError: 'not asked again before it allows it: 429 Too Many Requests', lastErrorAt: iso(n - H / 4), budget: { limit: 3000, windowSeconds: 300, used: 3000, notUntil: iso(n + H) } },
      { name: 'energy-charts', basis: 'average/direct', offers: ['history', 'prices'], zones: 2, quarantined: 0, asked: 88, failed: 0, lastSuccess: iso(n - H), budget: { used: 88 } },
      { name: 'file/site.csv', basis: 'average/lifecycle', offers: ['history'], zones: 1, quarantined: 0, asked: 12, failed: 0 },
    ],
    zones: zones.map((z) => ({
      zone: z.zone, basis: 'average/lifecycle', provider: z.zone === 'ES' ? 'file/site.csv' : 'electricity-maps', grade: z.zone === 'DE-LU' ? 'A' : 'C', measuredUntil: iso(Math.floor(n / H) * H - H), forecastIssued: iso(n - H / 2), lastSuccess: iso(n - H / 6), verdict: z.zone === 'DE-LU' ? verdict : ours,
      ...(z.zone === 'PL' ? { lastError: 'last value is 3 h old: the provider answers 503', lastErrorAt: iso(n - 2 * H), quarantined: [{ provider: 'energy-charts', reason: 'says 91 g/kWh at 14:00 where electricity-maps says 655 and 620 to 700 was expected' }] } : {}),
    })),
  }
}

function route(method, path, q) {
  const n = now()
  if (path === '/v1/session' && method === 'GET') return signedIn ? { principal: 'token:house-i22hqxc4', tenant: 'house', role: 'operator', until: iso(n + 12 * H), permissions: ['workload.read', 'workload.cancel'], browser: true } : problem(401, 'Unauthorized', 'There is no session.')
  if (path === '/v1/session') return (signedIn = false), null
  if (path === '/v1/sessions') return (signedIn = true), { principal: 'token:house-i22hqxc4', tenant: 'house', role: 'operator', until: iso(n + 12 * H), permissions: ['workload.cancel'], browser: true }
  if (path === '/v1/status') return { version: 'development', now: iso(n), demo: true, rate, origin: 'demo.clusy.io/log/invented' }
  if (path === '/v1/counts') {
    const states = {}
    let lateN = 0
    for (const w of visible(n)) {
      const b = bar(w, n)
      states[b.state] = (states[b.state] ?? 0) + 1
      if (b.missedAt) lateN++
    }
    return { states, total: visible(n).length, late: lateN, asOf: index }
  }
  if (path === '/v1/timeline') {
    let list = visible(n)
    if (q.get('id')) {
      const ids = new Set(q.get('id').split(','))
      list = list.filter((w) => ids.has(w.id))
    } else {
      const from = Date.parse(q.get('from') ?? 0) || 0
      const to = Date.parse(q.get('to') ?? '') || Infinity
      list = list.filter((w) => Math.max(w.completeBy, w.end + late(w)) > from && w.created < to)
    }
    let items = list.map((w) => bar(w, n)).reverse()
    if (q.get('state')) items = items.filter((b) => q.get('state').split(',').includes(b.state))
    const limit = Number(q.get('limit') ?? 2000)
    return { items: items.slice(0, limit), ...(items.length > limit ? { next: 'more' } : {}), asOf: index }
  }
  if (path === '/v1/outlooks') return { items: zones.map((z) => outlook(z, Date.parse(q.get('from')), Date.parse(q.get('to')), n)) }
  if (path === '/v1/zones') return { items: [...zones.map((z) => ({ zone: z.zone, name: z.name, annualGramsPerKWh: z.annual, year: 2025, nowGramsPerKWh: g(z, n), grade: 'C', provider: 'clusy/anchored-climatology', issued: iso(n - H / 2), basis: 'average/lifecycle', ...(z.zone === 'PL' ? { problem: 'last value is 3 h old: the provider answers 503' } : {}) })), ...extra].sort((a, b) => (a.zone < b.zone ? -1 : 1)) }
  if (path === '/v1/signals') return signals(n)
  const of = /^\/v1\/zones\/([^/]+)\/(intensity|forecast|prices)$/.exec(path)
  if (of) {
    const z = zones.find((z) => z.zone === decodeURIComponent(of[1]))
    const [from, to] = [Date.parse(q.get('from')), Date.parse(q.get('to'))]
    if (of[2] === 'prices') return { items: z ? prices(z, from, to, n) : [] }
    if (!z) return problem(404, 'Not Found', `Nothing is known of zone "${of[1]}".`)
    return of[2] === 'intensity' ? outlook(z, from, to, n) : forecast(z, Date.parse(q.get('at')))
  }
  if (path === '/v1/sites') return { items: sites.map((s, i) => ({ ...s, engine: 'process', pue: 1.2 + i / 10, enclave: { id: 'ek_u2lky2tgcuomf4kid2km7c5avy', key: 'clusy-enclave-1:invented' }, seen: iso(n - 30_000 * (i + 1) - (i === 2 ? 5 * H : 0)), silent: i === 2, running: visible(n).filter((w) => w.site === s && bar(w, n).state === 'running').length })) }
  if (path === '/v1/savings') return savings(n)
  if (path === '/v1/budgets') return { items: budgets(n) }
  if (path === '/v1/queues') return { items: [{ name: 'default', priority: 50, weight: 1, guaranteed: 0, most: 1, reserveAheadSeconds: 86400, booked: 0.12, waiting: 4, running: 2 }, ...(works.length ? [{ name: 'nightly', priority: 40, weight: 2, guaranteed: 0.2, most: 0.5, reserveAheadSeconds: 172800, changed: iso(n - 9 * H), booked: 0.31, waiting: 9, running: 1 }] : [])] }
  if (path === '/v1/ledger/checkpoint') return { origin: 'demo.clusy.io/log/invented', size: index, text: `demo.clusy.io/log/invented\n${index}\ntwOOD76UHKxxQgkl8guJ7oC+B3mjdcc+pugIyYZDn4Q=\n\n— demo.clusy.io/log/invented 4Vd5O2reHcSGByUQ/0Z5zgwaLdkaDSzh6AlOwLQXVs/0diPs50m2fSH=\n`, key: 'demo.clusy.io/log/invented+e157793b+AdtYjzFl0YDko5TsBww9m1icNVJ1jPYUlyOGXof6xLcS', demo: true }
  if (path === '/v1/ledger/entries') {
    const w = works.find((w) => w.id === q.get('workload'))
    return { items: w ? entriesOf(w, n) : [] }
  }
  const m = /^\/v1\/workloads\/([^/]+)(?:\/(\w+))?$/.exec(path)
  if (m) {
    const w = works.find((w) => w.id === m[1])
    if (!w) return problem(404, 'Not Found', `There is no workload ${m[1]} that you may see.`)
    if (!m[2]) return workload(w, n)
    if (m[2] === 'decisions') return { items: [0, 1, 2].map((i) => ({ plan: hex(64), at: iso(w.created + i * 240_000), placement: placement(w, n) })).reverse() }
    if (m[2] === 'events') return { items: eventsOf(w, n) }
    if (m[2] === 'cancel') return (w.fate = 'cancelled'), (w.cancelAt = n), workload(w, n)
  }
  if (/questions$/.test(path)) return { id: 'ask', error: 'This world is invented: it has no enclave.' }
  return problem(404, 'Not Found', `${method} ${path} is not part of this invented world.`)
}
function problem(status, title, detail) {
  return { $status: status, title, status, detail }
}

/** Connect middleware that answers /v1. */
export function answer(req, res, next) {
  const url = new URL(req.url, 'http://x')
  if (!url.pathname.startsWith('/v1/')) return next()
  if (url.pathname === '/v1/events') {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    res.write(': beat\n\n')
    streams.add(res)
    req.on('close', () => streams.delete(res))
    return
  }
  const out = route(req.method, url.pathname, url.searchParams)
  if (out === null) return res.writeHead(204).end()
  const { $status = 200, ...body } = out
  res.writeHead($status, { 'content-type': $status === 200 ? 'application/json' : 'application/problem+json' })
  res.end(JSON.stringify(body))
}
