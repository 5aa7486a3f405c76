import { Anchor, Stack, Text } from '@mantine/core';
import { IconFileTypePdf } from '@tabler/icons-react';
import { Link } from 'react-router';
import { api } from '../api/endpoints';
import type { Order, Supplement } from '../api/types';
import { Card } from '../components/card';
import { MoneyText } from '../components/money-text';
import { OrderStatusLabel } from '../components/status';
import { DayAndTime } from '../components/time';
import classes from './order.module.css';

/** Invoice and credit notes, to be opened as PDF. */
export function Documents({ order }: { order: Order }) {
  if (!order.paid_at) return null;
  const invoiced = order.documents.some((d) => d.kind === 'invoice');
  return (
    <Card title="Documents">
      <Stack gap="xs">
        {/* Asking for the invoice makes it when it is not there yet. */}
        {!invoiced && <DocumentLink order={order} id="invoice" name="Invoice" />}
        {order.documents.map((d) => (
          <DocumentLink
            key={d.id}
            order={order}
            id={d.id}
            name={`${d.kind === 'invoice' ? 'Invoice' : 'Credit note'} ${d.number}`}
            at={d.issued_at}
          />
        ))}
      </Stack>
    </Card>
  );
}

function DocumentLink({ order, id, name, at }: { order: Order; id: string; name: string; at?: string }) {
  return (
    <div className={classes.document}>
      <IconFileTypePdf size={18} stroke={1.5} aria-hidden />
      <div>
        <Anchor href={api.documentUrl(order.id, id)} target="_blank" rel="noopener" size="sm">
          {name}
        </Anchor>
        {at && (
          <Text size="xs" c="dimmed">
            <DayAndTime at={at} />
          </Text>
        )}
      </div>
    </div>
  );
}

/** The order this one was made for, and those that were made for this one. */
export function RelatedOrders({ order }: { order: Order }) {
  const parent = order.belongs_to;
  if (!parent && order.supplements.length === 0) return null;
  return (
    <Card title="Related orders">
      <Stack gap="xs">
        {parent && (
          <Anchor component={Link} to={`/orders/${parent.parent_id}`} size="sm">
            {parent.kind === 'exchange' ? 'The order that was exchanged' : 'The order it was added to'}
          </Anchor>
        )}
        {order.supplements.map((s) => (
          <RelatedOrder key={s.order_id} supplement={s} />
        ))}
      </Stack>
    </Card>
  );
}

function RelatedOrder({ supplement: s }: { supplement: Supplement }) {
  return (
    <div className={classes.related}>
      <Anchor component={Link} to={`/orders/${s.order_id}`} size="sm">
        {s.kind === 'exchange' ? 'Exchange' : 'Addition'} {s.number}
      </Anchor>
      <Text size="sm" component="div">
        <OrderStatusLabel status={s.status} />
      </Text>
      <Text size="sm" component="div">
        <MoneyText value={s.total} />
      </Text>
    </div>
  );
}
