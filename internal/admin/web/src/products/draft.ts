import type { Money, Product, ProductPatch, Variant } from '../api/types';
import { parseMoney, toDecimal } from '../format/money';

/** What was typed into the prices of one variant; undefined where nothing was. */
export interface PriceEdit {
  price?: string;
  compareAt?: string;
}

/** Everything that was typed and not saved, on top of the product as it was read. */
export interface Edits extends ProductPatch {
  prices: Record<string, PriceEdit>;
}

export const noEdits: Edits = { prices: {} };

/** A price to be saved. */
export interface PriceChange {
  variant: Variant;
  price: Money;
  compareAt: Money | null;
}

export interface PriceErrors {
  price?: string;
  compareAt?: string;
}

/** The fields that differ from base; empty when none does. */
export function patchOf(base: Product, edits: Edits): ProductPatch {
  const patch: ProductPatch = {};
  if (edits.title !== undefined && edits.title.trim() !== base.title) patch.title = edits.title.trim();
  if (edits.description !== undefined && edits.description !== base.description)
    patch.description = edits.description;
  if (edits.status !== undefined && edits.status !== base.status) patch.status = edits.status;
  return patch;
}

/** The currency prices are typed in; empty when nothing tells. */
export function currencyOf(product: Product): string {
  return product.currency ?? product.variants.find((v) => v.price)?.price?.currency ?? '';
}

/** What stands in the two price fields of a variant. */
export function priceTexts(variant: Variant, edits: Edits): Required<PriceEdit> {
  const edit = edits.prices[variant.id];
  return {
    price: edit?.price ?? (variant.price ? toDecimal(variant.price) : ''),
    compareAt: edit?.compareAt ?? (variant.compare_at_price ? toDecimal(variant.compare_at_price) : ''),
  };
}

/** What is wrong with what was typed into the price fields of a variant; empty when nothing is. */
export function priceErrors(variant: Variant, currency: string, edits: Edits): PriceErrors {
  if (!edits.prices[variant.id]) return {};
  const texts = priceTexts(variant, edits);
  const errors: PriceErrors = {};
  const price = parseMoney(texts.price, currency);
  if (!price) errors.price = `Not an amount in ${currency}`;
  if (texts.compareAt.trim() === '') return errors;
  const compareAt = parseMoney(texts.compareAt, currency);
  if (!compareAt) errors.compareAt = `Not an amount in ${currency}`;
  else if (price && compareAt.amount <= price.amount) errors.compareAt = 'Must be above the price';
  return errors;
}

/** The prices that differ from what was read. Fields that are wrong are left out: see priceErrors. */
export function priceChanges(product: Product, edits: Edits): PriceChange[] {
  const currency = currencyOf(product);
  return product.variants.flatMap((variant) => {
    if (!edits.prices[variant.id] || Object.keys(priceErrors(variant, currency, edits)).length > 0) return [];
    const texts = priceTexts(variant, edits);
    const price = parseMoney(texts.price, currency);
    if (!price) return [];
    const compareAt = texts.compareAt.trim() === '' ? null : parseMoney(texts.compareAt, currency);
    const same =
      price.amount === variant.price?.amount && compareAt?.amount === variant.compare_at_price?.amount;
    return same ? [] : [{ variant, price, compareAt }];
  });
}

/** Whether a title was typed that cannot be saved, or a price. */
export function hasErrors(product: Product, edits: Edits): boolean {
  return (
    edits.title?.trim() === '' ||
    product.variants.some((v) => Object.keys(priceErrors(v, currencyOf(product), edits)).length > 0)
  );
}

/** Whether anything would be lost by leaving. */
export function isDirty(base: Product, edits: Edits): boolean {
  return (
    Object.keys(patchOf(base, edits)).length > 0 ||
    priceChanges(base, edits).length > 0 ||
    hasErrors(base, edits)
  );
}
