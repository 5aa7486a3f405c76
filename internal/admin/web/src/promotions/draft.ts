import type { Money, Promotion, PromotionInput, PromotionKind } from '../api/types';
import { parseMoney, toDecimal } from '../format/money';

/** A promotion as it stands in the fields: numbers and money are the text that was typed. */
export interface Draft {
  title: string;
  kind: PromotionKind;
  active: boolean;
  automatic: boolean;
  codes: string[];
  percent: string;
  /** By currency. */
  amounts: Record<string, string>;
  per: 'order' | 'line' | 'piece';
  buy: string;
  get: string;
  maxSets: string;
  minimum: Record<string, string>;
  firstOrder: boolean;
  useLimit: string;
  customerLimit: string;
  /** Local times as a field has them, "2026-05-04T09:00". */
  from: string;
  to: string;
  exclusive: boolean;
  priority: string;
}

export type DraftErrors = Partial<Record<keyof Draft, string>>;

export const newDraft: Draft = {
  title: '',
  kind: 'percentage',
  active: true,
  automatic: false,
  codes: [],
  percent: '',
  amounts: {},
  per: 'order',
  buy: '2',
  get: '1',
  maxSets: '',
  minimum: {},
  firstOrder: false,
  useLimit: '',
  customerLimit: '',
  from: '',
  to: '',
  exclusive: false,
  priority: '0',
};

export function draftOf(promotion: Promotion): Draft {
  return {
    title: promotion.title,
    kind: promotion.kind,
    active: promotion.active,
    automatic: (promotion.codes ?? []).length === 0,
    codes: promotion.codes ?? [],
    percent: textOf(promotion.percent),
    amounts: byCurrency(promotion.amounts),
    per: promotion.per ?? 'order',
    buy: textOf(promotion.buy?.quantity) || newDraft.buy,
    get: textOf(promotion.get?.quantity) || newDraft.get,
    maxSets: promotion.max_sets ? String(promotion.max_sets) : '',
    minimum: byCurrency(promotion.conditions.minimum_subtotal),
    firstOrder: promotion.conditions.first_order ?? false,
    useLimit: textOf(promotion.use_limit),
    customerLimit: textOf(promotion.per_customer_limit),
    from: localTime(promotion.valid_from),
    to: localTime(promotion.valid_to),
    exclusive: promotion.stacking === 'exclusive',
    priority: textOf(promotion.priority) || '0',
  };
}

/** What is wrong with what was typed; empty when nothing is. Rules that need more than the form are the server's. */
export function errorsOf(draft: Draft): DraftErrors {
  const errors: DraftErrors = {};
  if (draft.title.trim() === '') errors.title = 'Shoppers see the title; give it one';
  if (!draft.automatic) {
    if (draft.codes.length === 0) errors.codes = 'Type a code and press Enter';
    const wrong = draft.codes.find((code) => !/^[A-Z0-9_-]{3,40}$/.test(code));
    if (wrong) errors.codes = `${wrong}: a code has 3 to 40 letters A to Z, digits, dashes and underscores`;
  }
  if (draft.kind === 'percentage' || draft.kind === 'buy_x_get_y') {
    const percent = percentOf(draft.percent);
    if (percent === null || percent <= 0 || percent > 100)
      errors.percent = 'More than 0, at most 100, such as 12.5';
  }
  if (draft.kind === 'fixed_amount') {
    const given = amountsOf(draft.amounts);
    if (given === null) errors.amounts = 'Not an amount';
    else if (given.length === 0) errors.amounts = 'How much is taken off?';
  }
  if (draft.kind === 'buy_x_get_y') {
    if (!isCount(draft.buy, 1000)) errors.buy = 'A whole number from 1 to 1,000';
    if (!isCount(draft.get, 1000)) errors.get = 'A whole number from 1 to 1,000';
    if (draft.maxSets !== '' && !isCount(draft.maxSets, 1000)) errors.maxSets = 'Empty, or 1 to 1,000';
  }
  if (amountsOf(draft.minimum) === null) errors.minimum = 'Not an amount';
  if (draft.useLimit !== '' && !isCount(draft.useLimit, 1_000_000_000))
    errors.useLimit = 'Empty, or at least 1';
  if (!draft.firstOrder && draft.customerLimit !== '' && !isCount(draft.customerLimit, 1_000_000_000))
    errors.customerLimit = 'Empty, or at least 1';
  if (draft.from && draft.to && Date.parse(draft.to) <= Date.parse(draft.from))
    errors.to = 'It must end after it begins';
  if (!/^-?\d{1,4}$/.test(draft.priority) || Math.abs(Number(draft.priority)) > 1000)
    errors.priority = 'From −1000 to 1000';
  return errors;
}

/**
 * The promotion that the fields describe. What they do not show (articles, groups of customers, and so on) stays as it is
 * in base. Call it only where errorsOf finds nothing.
 */
export function inputOf(draft: Draft, base: Promotion | null): PromotionInput {
  const { kind } = draft;
  const pieces = (quantity: string, side: PromotionInput['buy']) => ({ ...side, quantity: Number(quantity) });
  const minimum = amountsOf(draft.minimum) ?? [];
  return {
    title: draft.title.trim(),
    kind,
    active: draft.active,
    codes: draft.automatic ? [] : draft.codes,
    ...((kind === 'percentage' || kind === 'buy_x_get_y') && { percent: percentOf(draft.percent) ?? 0 }),
    ...(kind === 'fixed_amount' && { amounts: amountsOf(draft.amounts) ?? [], per: draft.per }),
    ...(kind === 'buy_x_get_y' && {
      buy: pieces(draft.buy, base?.buy),
      get: pieces(draft.get, base?.get),
      max_sets: Number(draft.maxSets),
    }),
    include: base?.include ?? {},
    exclude: base?.exclude ?? {},
    conditions: conditionsOf(draft, base, minimum),
    ...(base?.stack_group && { stack_group: base.stack_group }),
    stacking: draft.exclusive ? 'exclusive' : 'combinable',
    priority: Number(draft.priority),
    ...(draft.from && { valid_from: new Date(draft.from).toISOString() }),
    ...(draft.to && { valid_to: new Date(draft.to).toISOString() }),
    ...(draft.useLimit && { use_limit: Number(draft.useLimit) }),
    // The limit of a first order is one, and the server's to set.
    ...(draft.customerLimit && !draft.firstOrder && { per_customer_limit: Number(draft.customerLimit) }),
  };
}

function conditionsOf(draft: Draft, base: Promotion | null, minimum: Money[]): PromotionInput['conditions'] {
  const conditions = { ...base?.conditions };
  delete conditions.minimum_subtotal;
  delete conditions.first_order;
  if (draft.kind !== 'free_shipping') delete conditions.shipping_methods;
  return {
    ...conditions,
    ...(minimum.length > 0 && { minimum_subtotal: minimum }),
    ...(draft.firstOrder && { first_order: true }),
  };
}

/** A code as the server keeps it: without white space, in capitals. */
export const codeOf = (text: string): string => text.normalize('NFKC').replace(/\s/g, '').toUpperCase();

/** The promotion as it was read, without what the server keeps of it, to be sent back with a change. */
export function unchanged(promotion: Promotion): PromotionInput {
  const kept = ['id', 'uses', 'version', 'created_at', 'updated_at', '$schema'];
  return Object.fromEntries(
    Object.entries(promotion).filter(([field]) => !kept.includes(field)),
  ) as unknown as PromotionInput;
}

function percentOf(text: string): number | null {
  return /^\d{1,3}([.,]\d{1,2})?$/.test(text.trim()) ? Number(text.trim().replace(',', '.')) : null;
}

const isCount = (text: string, most: number): boolean =>
  /^\d{1,10}$/.test(text) && Number(text) >= 1 && Number(text) <= most;

/** The amounts that were typed, without empty fields; null when one is none. */
function amountsOf(texts: Record<string, string>): Money[] | null {
  const amounts: Money[] = [];
  for (const [currency, text] of Object.entries(texts)) {
    if (text.trim() === '') continue;
    const amount = parseMoney(text, currency);
    if (!amount || amount.amount === 0) return null;
    amounts.push(amount);
  }
  return amounts;
}

const textOf = (value: number | undefined): string => (value === undefined ? '' : String(value));

const byCurrency = (amounts: Money[] | undefined): Record<string, string> =>
  Object.fromEntries((amounts ?? []).map((amount) => [amount.currency, toDecimal(amount)]));

/** A moment as a local field has it. */
function localTime(at: string | undefined): string {
  if (!at) return '';
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
