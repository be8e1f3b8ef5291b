import { expect, test } from 'vitest'
import * as w from './words'

test('grams as the command line writes them', () => {
  expect(w.grams(undefined)).toBe('unknown')
  expect(w.grams(0)).toBe('0.0 g')
  expect(w.grams(9.94)).toBe('9.9 g')
  expect(w.grams(369)).toBe('369 g')
  expect(w.grams(-484.4)).toBe('−484 g')
  expect(w.grams(-0.001)).toBe('0.0 g')
  expect(w.grams(2471)).toBe('2.47 kg')
  expect(w.grams(12_345)).toBe('12.3 kg')
  expect(w.grams(3.2e6)).toBe('3.20 t')
  expect(w.gramsDelta(12)).toBe('+12 g')
  expect(w.gramsDelta(0)).toBe('0.0 g')
})

test('lengths of time', () => {
  expect(w.span(45)).toBe('45 s')
  expect(w.span(7200)).toBe('2 h')
  expect(w.span(16_800)).toBe('4 h 40 m')
  expect(w.span(-3780)).toBe('−1 h 3 m')
  expect(w.span(50 * 3600)).toBe('2 d 2 h')
  expect(w.span(3599)).toBe('60 m')
})

test('shares keep their sign and know when there is nothing to share', () => {
  expect(w.percent(2.21, 6.93)).toBe('+32 %')
  expect(w.percent(-1, 10)).toBe('−10 %')
  expect(w.percent(1, 0)).toBe('n/a')
  expect(w.percent(undefined, 3)).toBe('unknown')
})

test('times are UTC', () => {
  expect(w.time('2023-06-06T13:02:55Z')).toBe('Tue 06 Jun 13:02')
  expect(w.exact('2023-06-06T13:02:55.771Z')).toBe('2023-06-06 13:02:55Z')
  expect(w.time(undefined)).toBe('–')
})

test('ids, counts and rates', () => {
  expect(w.shortID('wl_01a20e5e-f9f3-745a-acce-66bd91cbbeac')).toBe('wl_…91cbbeac')
  expect(w.whole(10_000)).toBe('10 000')
  expect(w.plural(1, 'bar')).toBe('1 bar')
  expect(w.rateText(1200)).toBe('20 min')
})

test('prices and percentages below zero keep their sign, and nothing is minus zero', () => {
  expect(w.price(-0.0124, 'EUR')).toBe('−0.012 EUR/kWh')
  expect(w.price(-0.0001, 'EUR')).toBe('0.000 EUR/kWh')
  expect(w.price(undefined, 'EUR')).toBe('unknown')
  expect(w.percentOf(12.46)).toBe('12.5 %')
  expect(w.percentOf(-3.2)).toBe('−3.2 %')
  expect(w.percentOf(-0.01)).toBe('0.0 %')
  expect(w.percentOf(undefined)).toBe('unknown')
  expect(w.basisText('average/lifecycle')).toBe('average, lifecycle')
})
