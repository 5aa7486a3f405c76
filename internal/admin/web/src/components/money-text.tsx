import type { Money } from '../api/types';
import { formatMoney } from '../format/money';

/** An amount in figures of equal width. */
export function MoneyText({ value }: { value: Money }) {
  return <span className="figures">{formatMoney(value)}</span>;
}

/** One price, or the range of a product whose variants differ. */
export function PriceRange({ from, to }: { from: Money; to: Money }) {
  if (to.amount === from.amount) return <MoneyText value={from} />;
  return (
    <span className="figures">
      {formatMoney(from)} – {formatMoney(to)}
    </span>
  );
}
