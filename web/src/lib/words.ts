// How amounts, times and lengths of time are written for people. The words are
// the command line's: what one reads here can be searched for there.

export const unknown = 'unknown'
const minus = '−'

/** An amount of carbon, in grams. */
export function grams(g: number | null | undefined): string {
  if (g == null) return unknown
  const abs = Math.abs(g)
  const sign = g < 0 && Number(abs.toFixed(1)) > 0 ? minus : ''
  if (abs >= 1e6) return `${sign}${(abs / 1e6).toFixed(2)} t`
  if (abs >= 10_000) return `${sign}${(abs / 1e3).toFixed(1)} kg`
  if (abs >= 1_000) return `${sign}${(abs / 1e3).toFixed(2)} kg`
  if (abs >= 10) return `${sign}${abs.toFixed(0)} g`
  return `${sign}${abs.toFixed(1)} g`
}

/** A difference in carbon, with its sign. */
export function gramsDelta(g: number | null | undefined): string {
  if (g == null) return unknown
  const text = grams(g)
  return g > 0 && text !== '0.0 g' ? '+' + text : text
}

/** A length of time, in seconds: 4 h 40 m. */
export function span(seconds: number | null | undefined): string {
  if (seconds == null) return unknown
  const sign = seconds < 0 ? minus : ''
  const s = Math.abs(seconds)
  if (s < 60) return `${sign}${Math.round(s)} s`
  if (s < 3600) return `${sign}${Math.round(s / 60)} m`
  const minutes = Math.round(s / 60)
  if (minutes >= 48 * 60) return `${sign}${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
  const h = Math.floor(minutes / 60)
  const m = minutes % 60
  return m === 0 ? `${sign}${h} h` : `${sign}${h} h ${m} m`
}

/** part of whole, with its sign: +32 %. */
export function percent(part: number | null | undefined, whole: number | null | undefined): string {
  if (part == null || whole == null) return unknown
  if (whole === 0) return 'n/a'
  const p = Math.round((100 * part) / whole)
  return `${part / whole < 0 ? minus : '+'}${Math.abs(p)} %`
}

/** A figure that is in percent already: 12.5 %. */
export function percentOf(p: number | null | undefined, digits = 1): string {
  if (p == null) return unknown
  const text = Math.abs(p).toFixed(digits)
  return `${p < 0 && Number(text) > 0 ? minus : ''}${text} %`
}

/** A price of one kilowatt-hour, with the sign that it has: −0.012 EUR/kWh. */
export function price(perKWh: number | null | undefined, currency: string): string {
  return perKWh == null ? unknown : `${priceFigure(perKWh)} ${currency}/kWh`
}

export function priceFigure(perKWh: number): string {
  const text = Math.abs(perKWh).toFixed(3)
  return `${perKWh < 0 && Number(text) > 0 ? minus : ''}${text}`
}

/** What an intensity counts, in words: average, lifecycle. */
export function basisText(b: string | null | undefined): string {
  return b ? b.replace('/', ', ') : unknown
}

/** Energy, in kilowatt-hours. */
export function energy(kWh: number | null | undefined): string {
  if (kWh == null) return unknown
  if (Math.abs(kWh) >= 1000) return `${(kWh / 1000).toFixed(2)} MWh`
  if (Math.abs(kWh) >= 100) return `${kWh.toFixed(0)} kWh`
  if (Math.abs(kWh) >= 1 || kWh === 0) return `${kWh.toFixed(2)} kWh`
  return `${(kWh * 1000).toFixed(0)} Wh`
}

/** An amount of what a budget is of. */
export function amount(x: number | null | undefined, measure: string, currency?: string): string {
  if (x == null) return unknown
  if (measure === 'gCO2e') return grams(x)
  if (measure === 'kWh') return energy(x)
  if (measure === 'money') return `${x < 0 ? minus : ''}${Math.abs(x).toFixed(2)} ${currency ?? ''}`.trim()
  return `${x < 0 ? minus : ''}${Number(Math.abs(x).toPrecision(4))} ${measure === 'gpu-hours' ? 'GPU-hours' : 'CPU-hours'}`
}

/** Power, in watts. */
export function watts(w: number | null | undefined): string {
  if (w == null) return unknown
  if (w >= 1e6) return `${trim(w / 1e6)} MW`
  if (w >= 1e3) return `${trim(w / 1e3)} kW`
  return `${trim(w)} W`
}

/** A carbon intensity, in grams per kilowatt-hour, without its unit. */
export function intensity(g: number | null | undefined): string {
  return g == null ? unknown : g.toFixed(0)
}

/** A whole number with thin spaces: 10 000. */
export function whole(n: number | null | undefined): string {
  return n == null ? unknown : String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ' ')
}

export function plural(n: number, one: string, many = one + 's'): string {
  return `${whole(n)} ${n === 1 ? one : many}`
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number) => String(n).padStart(2, '0')

type Time = string | number | null | undefined

/** Milliseconds since 1970 of a time on the wire. */
export function at(t: string | number): number {
  return typeof t === 'number' ? t : Date.parse(t)
}

/** A time, in UTC as grids go by it: Tue 06 Jun 13:02. */
export function time(t: Time): string {
  if (t == null) return '–'
  return `${day(t)} ${clock(t)}`
}

/** A time for the columns of tables: 06 Jun 13:02. */
export function short(t: Time): string {
  return t == null ? '–' : `${day(t).slice(4)} ${clock(t)}`
}

/** A day: Tue 06 Jun. */
export function day(t: Time): string {
  if (t == null) return '–'
  const d = new Date(at(t))
  return `${days[d.getUTCDay()]} ${two(d.getUTCDate())} ${months[d.getUTCMonth()]}`
}

/** A time of day: 13:02. */
export function clock(t: Time): string {
  if (t == null) return '–'
  const d = new Date(at(t))
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`
}

/** A time of day with seconds: 13:02:55. */
export function seconds(t: Time): string {
  return t == null ? '–' : `${clock(t)}:${two(new Date(at(t)).getUTCSeconds())}`
}

/** A time to the second with its year, for the record: 2023-06-06 13:02:55Z. */
export function exact(t: Time): string {
  return t == null ? '–' : new Date(at(t)).toISOString().replace('T', ' ').replace(/\.\d+Z$/, 'Z')
}

/** How long before or after now a time is: in 4 h 40 m, 12 m ago. */
export function fromNow(t: string | number, now: number): string {
  const s = (at(t) - now) / 1000
  return s >= 0 ? `in ${span(s)}` : `${span(-s)} ago`
}

/** The part of an id that tells it from its neighbours. */
export function shortID(id: string): string {
  return id.length > 14 ? `${id.slice(0, id.indexOf('_') + 1)}…${id.slice(-8)}` : id
}

/** A length of time of the demo's clock in one second of ours: 20 min. */
export function rateText(rate: number): string {
  if (rate % 3600 === 0) return `${rate / 3600} h`
  if (rate % 60 === 0) return `${rate / 60} min`
  return `${trim(rate)} s`
}

function trim(n: number): string {
  return String(Number(n.toPrecision(3)))
}
