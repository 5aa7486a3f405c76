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
          {countOf(count, 'item')}
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

function Line({ line }: { line: OrderLine }) {
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
      </div>
      <Text size="sm" c="dimmed" className={classes.each} component="div">
        <MoneyText value={line.unit_price} /> × {line.quantity}
      </Text>
      <div className={classes.sum}>
        <Text size="sm" component="div">
          <MoneyText value={line.total} />
        </Text>
        {line.discount.amount !== 0 && (
          <Text size="xs" c="dimmed" component="div">
            <MoneyText value={reduction(line.discount)} />
          </Text>
        )}
      </div>
    </li>
  );
}

function Totals({ order: { totals, shipping_method: method } }: { order: Order }) {
  return (
    <dl className={classes.totals}>
      <Row label="Subtotal" value={totals.subtotal} />
      {totals.discount.amount !== 0 && <Row label="Discount" value={reduction(totals.discount)} />}
      <Row label={method.name ? 'Shipping' : 'Shipping (none chosen)'} value={totals.shipping} />
      {totals.tax_included.amount === 0 && <Row label="Tax" value={totals.tax} />}
      <Row label="Total" value={totals.total} strong />
      {totals.tax_included.amount !== 0 && <Row label="Includes tax" value={totals.tax_included} />}
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
