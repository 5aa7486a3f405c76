import type { Promotion } from '../api/types';
import type { PromotionState } from '../components/status';
import { formatMoney } from '../format/money';
import { countOf } from '../format/words';

/** Whether a promotion is applied at a moment, and why not. */
export function stateOf(promotion: Promotion, now: Date): PromotionState {
  const { active, valid_from: from, valid_to: to, use_limit: limit, uses } = promotion;
  if (!active) return 'off';
  if (to && Date.parse(to) <= now.getTime()) return 'ended';
  if (limit !== undefined && uses >= limit) return 'used_up';
  if (from && Date.parse(from) > now.getTime()) return 'scheduled';
  return 'active';
}

/** What it gives, in a few words: "15 % off", "$5.00 off each item". */
export function valueText(promotion: Promotion): string {
  switch (promotion.kind) {
    case 'percentage':
      return `${promotion.percent ?? 0} % off`;
    case 'fixed_amount': {
      const amounts = (promotion.amounts ?? []).map(formatMoney).join(' or ');
      const per = { order: '', line: ' each line', piece: ' each item' }[promotion.per ?? 'order'];
      return `${amounts} off${per}`;
    }
    case 'free_shipping':
      return 'Free shipping';
    case 'buy_x_get_y': {
      const off = promotion.percent === 100 ? 'free' : `at ${promotion.percent ?? 0} % off`;
      return `Buy ${promotion.buy?.quantity ?? 0}, get ${promotion.get?.quantity ?? 0} ${off}`;
    }
  }
}

/** How often it was used against its limit: "3 of 100", "3 uses"; a dash where nobody counts. */
export function usesText(promotion: Promotion): string {
  const { uses, use_limit: limit, per_customer_limit: each } = promotion;
  if (limit !== undefined) return `${uses.toLocaleString()} of ${limit.toLocaleString()}`;
  return each !== undefined ? countOf(uses, 'use') : '–';
}
