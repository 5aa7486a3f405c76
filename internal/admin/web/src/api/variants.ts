import type { Product, Variant } from './types';

/**
 * Variants in the order of the product's options (XS before S, each in all colours), their own options too. The
 * server puts the variant first that a listing shows, so that rows would jump when a price is saved.
 */
export function inOrder(variants: Variant[], options: Product['options']): Variant[] {
  const place = (variant: Variant) =>
    options.map(({ name, values }) => values.indexOf(variant.options[name] ?? ''));
  return variants
    .map((variant) => ({ ...variant, options: sortedOptions(variant, options) }))
    .toSorted((a, b) => compare(place(a), place(b)));
}

function sortedOptions({ options }: Variant, order: Product['options']): Record<string, string> {
  const names = order.map(({ name }) => name).filter((name) => name in options);
  const others = Object.keys(options).filter((name) => !names.includes(name));
  return Object.fromEntries([...names, ...others].map((name) => [name, options[name] ?? '']));
}

function compare(a: number[], b: number[]): number {
  const differing = a.findIndex((value, n) => value !== b[n]);
  return differing < 0 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}
