import { describe, expect, it } from 'vitest';
import { formatMoney, parseMoney, toDecimal } from '../src/format/money';

const usd = (amount: number) => ({ amount, currency: 'USD' });

describe('toDecimal', () => {
  it.each([
    [1999, 'USD', '19.99'],
    [5, 'USD', '0.05'],
    [0, 'EUR', '0.00'],
    [-340, 'USD', '-3.40'],
    [1999, 'JPY', '1999'],
    [1999, 'KWD', '1.999'],
    [1999, 'IQD', '1.999'],
    [900719925474099, 'USD', '9007199254740.99'],
  ])('writes %d %s as %s', (amount, currency, text) => {
    expect(toDecimal({ amount, currency })).toBe(text);
  });
});

describe('parseMoney', () => {
  it.each([
    ['19.99', 'USD', 1999],
    ['19,9', 'EUR', 1990],
    [' 20 ', 'USD', 2000],
    ['20.', 'USD', 2000],
    ['0.07', 'USD', 7],
    ['1999', 'JPY', 1999],
    ['1.999', 'KWD', 1999],
    ['1.13', 'USD', 113],
  ])('reads %s %s as %d', (text, currency, amount) => {
    expect(parseMoney(text, currency)).toEqual({ amount, currency });
  });

  it.each([
    ['', 'USD'],
    ['abc', 'USD'],
    ['-1', 'USD'],
    ['1.999', 'USD'],
    ['1.5', 'JPY'],
    ['1,000.00', 'USD'],
    ['1e3', 'USD'],
  ])('refuses %s %s', (text, currency) => {
    expect(parseMoney(text, currency)).toBeNull();
  });
});

describe('formatMoney', () => {
  it('shows the decimals of ISO 4217, not those of the browser', () => {
    expect(formatMoney({ amount: 1999, currency: 'IQD' })).toMatch(/1\.999$/);
    expect(formatMoney({ amount: 1999, currency: 'JPY' })).toBe('¥1,999');
  });

  it('keeps every digit of a large sum', () => {
    expect(formatMoney(usd(900719925474099))).toBe('$9,007,199,254,740.99');
  });
});
