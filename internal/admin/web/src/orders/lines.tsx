import { Anchor, Group, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { Money, Order, OrderLine } from '../api/types';
import { Card } from '../components/card';
import { MoneyText } from '../components/money-text';
import { Thumb } from '../components/thumb';
import { countOf, optionText } from '../format/words';
import classes from './order.module.css';

/** What was bought, and how its total came about. */
export function Lines({ order }: { order: Order }) {
  const count = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return (
    <Card
      title="Items"
      flush
      aside={
        <Text size="sm" c="dimmed">
          {countOf(count, 'item')} · {taxText(order)}
        </Text>
      }
    >
      <ul className={classes.lines}>
        {order.lines.map((line) => (
          <Line key={line.id} line={line} />
        ))}
      </ul>
      <Totals order={order} />
    </Card>
  );
}

/** Whether the sums of the lines contain tax. Tax that is added on top stands in a row of its own. */
function taxText({ totals }: Order): string {
  if (totals.tax_included.amount !== 0) return 'tax included';
  return totals.tax.amount !== 0 ? 'before tax' : 'no tax';
}

function Line({ line }: { line: OrderLine }) {
  const progress = progressOf(line);
  return (
    <li className={classes.line}>
      <Thumb image={line.image} size={48} />
      <div className={classes.what}>
        <Anchor component={Link} to={`/products/${line.product_id}`} size="sm" fw={500} c="inherit">
          {line.title}
        </Anchor>
        <Text size="xs" c="dimmed">
          {[optionText(line.options), line.sku].filter(Boolean).join(' · ')}
        </Text>
        {progress && (
          <Text size="xs" c="dimmed">
            {progress}
          </Text>
        )}
      </div>
      <Text size="sm" c="dimmed" className={classes.each} component="div">
        <MoneyText value={line.unit_price} /> × {line.quantity}
      </Text>
      <div className={classes.sum}>
        <Text size="sm" component="div">
          <MoneyText value={netOf(line)} />
        </Text>
        {line.discount.amount !== 0 && (
          <Text size="xs" c="dimmed" component="div">
            <MoneyText value={reduction(line.discount)} /> discount
          </Text>
        )}
      </div>
    </li>
  );
}

/** What a line comes to without the tax that is added on top: the lines add up to the subtotal less the discount. */
function netOf(line: OrderLine): Money {
  return { ...line.total, amount: line.total.amount - line.tax.amount };
}

/** What became of the pieces of a line; empty while all of them wait. */
function progressOf(line: OrderLine): string {
  const parts: [number, string][] = [
    [line.fulfilled_quantity, 'sent'],
    [line.cancelled_quantity, 'taken off'],
    [line.returned_quantity, 'returned'],
  ];
  return parts
    .filter(([n]) => n > 0)
    .map(([n, word]) => `${n} ${word}`)
    .join(' · ');
}

function Totals({ order }: { order: Order }) {
  const { totals, shipping_method: method, refunded } = order;
  const codes = order.promotions.map((p) => p.code ?? p.title).join(', ');
  return (
    <dl className={classes.totals}>
      <Row label="Subtotal" value={totals.subtotal} />
      {totals.discount.amount !== 0 && (
        <Row label={codes ? `Discount (${codes})` : 'Discount'} value={reduction(totals.discount)} />
      )}
      <Row label={method.name ? 'Shipping' : 'Shipping (none chosen)'} value={totals.shipping} />
      {totals.tax_included.amount === 0 && <Row label="Tax" value={totals.tax} />}
      <Row label="Total" value={totals.total} strong />
      {totals.tax_included.amount !== 0 && <Row label="Includes tax" value={totals.tax_included} />}
      {refunded.amount !== 0 && <Row label="Refunded" value={reduction(refunded)} />}
      {refunded.amount !== 0 && (
        <Row
          label="Net of refunds"
          value={{ ...totals.total, amount: totals.total.amount - refunded.amount }}
          strong
        />
      )}
    </dl>
  );
}

function Row({ label, value, strong = false }: { label: string; value: Money; strong?: boolean }) {
  return (
    <Group justify="space-between" wrap="nowrap" fw={strong ? 600 : undefined}>
      <Text component="dt" size="sm" c={strong ? undefined : 'dimmed'}>
        {label}
      </Text>
      <Text component="dd" size="sm" m={0} fw={strong ? 600 : undefined}>
        <MoneyText value={value} />
      </Text>
    </Group>
  );
}

/** A discount as what it takes away, whichever sign it was sent with. */
function reduction(discount: Money): Money {
  return { ...discount, amount: -Math.abs(discount.amount) };
}
