import { describe, expect, it } from 'vitest';
import { makeProducts } from '../mock/catalogue';
import {
  type Edits,
  hasErrors,
  isDirty,
  noEdits,
  patchOf,
  priceChanges,
  priceErrors,
} from '../src/products/draft';

const product = makeProducts()[7];
const variant = product?.variants[0];
if (!product || !variant) throw new Error('the mock catalogue is too short');

const pricesOf = (price?: string, compareAt?: string): Edits => ({
  prices: { [variant.id]: { price, compareAt } },
});

describe('what is sent of a product', () => {
  it.each<[string, Partial<Edits>, object]>([
    ['nothing when nothing was typed', {}, {}],
    ['nothing when the same was typed', { title: product.title, status: 'active' }, {}],
    ['only what differs', { title: '  New name ', description: product.description }, { title: 'New name' }],
    ['an emptied description', { description: '' }, { description: '' }],
  ])('is %s', (_, edits, want) => {
    expect(patchOf(product, { ...noEdits, ...edits })).toEqual(want);
  });
});

describe('prices', () => {
  it.each([
    ['70', undefined, { amount: 7000 }, null],
    ['63.50', '80', { amount: 6350 }, { amount: 8000 }],
    [undefined, '99.99', { amount: 6300 }, { amount: 9999 }],
  ])('of %s and %s are a change', (price, compareAt, wantPrice, wantCompare) => {
    const [change] = priceChanges(product, pricesOf(price, compareAt));
    expect(change?.price).toMatchObject(wantPrice);
    if (wantCompare) expect(change?.compareAt).toMatchObject(wantCompare);
    else expect(change?.compareAt).toBeNull();
  });

  it('typed as they were are no change', () => {
    expect(priceChanges(product, pricesOf('63'))).toEqual([]);
    expect(isDirty(product, pricesOf('63'))).toBe(false);
  });

  it.each([
    ['abc', undefined, { price: 'Not an amount in USD' }],
    ['', undefined, { price: 'Not an amount in USD' }],
    ['70', 'x', { compareAt: 'Not an amount in USD' }],
    ['70', '70', { compareAt: 'Must be above the price' }],
  ])('of %s and %s are refused', (price, compareAt, want) => {
    const edits = pricesOf(price, compareAt);
    expect(priceErrors(variant, 'USD', edits)).toEqual(want);
    expect(hasErrors(product, edits)).toBe(true);
    expect(priceChanges(product, edits)).toEqual([]);
    expect(isDirty(product, edits)).toBe(true);
  });

  it('can be given to a variant that has none', () => {
    const unpriced = { ...variant, price: null, compare_at_price: null };
    const base = { ...product, variants: [unpriced, ...product.variants.slice(1)] };
    expect(hasErrors(base, noEdits)).toBe(false);
    expect(priceChanges(base, pricesOf('12'))).toEqual([
      { variant: unpriced, price: { amount: 1200, currency: 'USD' }, compareAt: null },
    ]);
  });
});
