import type { Money } from '../api/types';
import { formatMoney } from '../format/money';

/** What is wrong with an amount that was typed, null when it is none, of which there is at most so much. */
export function amountProblem(amount: Money | null, most: Money): string | undefined {
  if (!amount) return `Not an amount in ${most.currency}`;
  if (amount.amount === 0) return 'More than nothing';
  if (amount.amount > most.amount) return `At most ${formatMoney(most)}`;
  return undefined;
}
