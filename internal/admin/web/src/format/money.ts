import type { Money } from '../api/types';

// Browsers take the decimals of a currency from CLDR, which differs from ISO 4217 for some (IQD, UGX, …). The
// server counts by ISO 4217, so the exceptions to two decimals are listed here as in internal/money.
const exponents: Record<string, number> = {};
for (const code of 'BHD IQD JOD KWD LYD OMR TND'.split(' ')) exponents[code] = 3;
for (const code of 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ')) {
  exponents[code] = 0;
}

/** The number of decimals of a currency by ISO 4217. */
export function exponentOf(currency: string): number {
  return exponents[currency] ?? 2;
}

/** Minor units as plain decimal text: 1999 USD is "19.99". No float is made on the way. */
export function toDecimal({ amount, currency }: Money): string {
  const exponent = exponentOf(currency);
  const sign = amount < 0 ? '-' : '';
  const digits = String(Math.abs(amount)).padStart(exponent + 1, '0');
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** Reads what a person typed ("19.9", "19,90") as money; null when it is not an amount of the currency. */
export function parseMoney(text: string, currency: string): Money | null {
  const match = /^(\d{1,10})(?:[.,](\d*))?$/.exec(text.trim());
  if (!match?.[1]) return null;
  const exponent = exponentOf(currency);
  const decimals = match[2] ?? '';
  if (decimals.length > exponent) return null;
  return { amount: Number(match[1] + decimals.padEnd(exponent, '0')), currency };
}

const formats = new Map<string, Intl.NumberFormat>();

/** The amount in the reader's language with its currency sign. */
export function formatMoney(money: Money): string {
  const { currency } = money;
  let format = formats.get(currency);
  if (!format) {
    const digits = exponentOf(currency);
    format = new Intl.NumberFormat(undefined, {
      style: 'currency',
      currency,
      currencyDisplay: 'narrowSymbol',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    formats.set(currency, format);
  }
  return format.format(toDecimal(money) as Intl.StringNumericLiteral);
}

/** A short form for axes and small tiles: $12.3K. */
export function formatMoneyCompact({ amount, currency }: Money): string {
  return new Intl.NumberFormat(undefined, {
    style: 'currency',
    currency,
    currencyDisplay: 'narrowSymbol',
    notation: 'compact',
    maximumFractionDigits: 2,
    minimumFractionDigits: 0,
  }).format(amount / 10 ** exponentOf(currency));
}
