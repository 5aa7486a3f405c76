import { Checkbox, Group, NumberInput, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Order, OrderLine } from '../api/types';
import { formatMoney } from '../format/money';
import { ActionDialog, type DialogProps } from './action-dialog';
import { CountLines } from './count-lines';
import { countsOf } from './pieces';

/** How many pieces of a line are wanted now. */
const wanted = (line: OrderLine) => line.quantity - line.cancelled_quantity;

/** Takes pieces off an order before they are sent, and adds others. */
export function Edit({ order, onClose }: DialogProps<Order>) {
  const lines = order.lines.filter((line) => wanted(line) > 0);
  const [counts, setCounts] = useState(() => countsOf(lines, wanted));
  const [sku, setSku] = useState('');
  const [quantity, setQuantity] = useState(1);
  const [lost, setLost] = useState(false);
  const [note, setNote] = useState('');
  const changed = lines.filter((line) => counts[line.id] !== wanted(line));
  const edit = useOrderAction(
    order.id,
    () =>
      api.editOrder(order.id, {
        lines: changed.map((line) => ({ line_id: line.id, quantity: counts[line.id] ?? 0 })),
        add: sku.trim() ? [{ sku: sku.trim(), quantity }] : [],
        lost,
        ...(note.trim() && { note: note.trim() }),
      }),
    (after) => outcomeOf(order, after),
  );
  return (
    <ActionDialog
      title={`Edit order ${order.number}`}
      confirm="Change the order"
      ready={changed.length > 0 || sku.trim() !== ''}
      pending={edit.isPending}
      error={edit.error}
      onClose={onClose}
      onConfirm={() => {
        edit.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">
        What is taken off pays for what is added. The rest goes back to the customer, or is asked for by mail.
      </Text>
      <CountLines
        lines={lines}
        counts={counts}
        onChange={setCounts}
        max={wanted}
        min={(line) => line.fulfilled_quantity}
      />
      {changed.length > 0 && (
        <Checkbox
          label="What is taken off cannot be sold again"
          checked={lost}
          onChange={(e) => {
            setLost(e.currentTarget.checked);
          }}
        />
      )}
      <Group align="flex-end" gap="sm" wrap="nowrap">
        <TextInput
          flex={1}
          label="Add an article"
          placeholder="SKU"
          maxLength={100}
          value={sku}
          onChange={(e) => {
            setSku(e.currentTarget.value);
          }}
        />
        <NumberInput
          aria-label="Pieces to add"
          w={84}
          min={1}
          max={9999}
          allowDecimal={false}
          disabled={sku.trim() === ''}
          value={quantity}
          onChange={(value) => {
            setQuantity(typeof value === 'number' ? value : 1);
          }}
        />
      </Group>
      <Textarea
        label="Note"
        description="Kept in the timeline; the customer does not see it."
        autosize
        maxLength={1000}
        value={note}
        onChange={(e) => {
          setNote(e.currentTarget.value);
        }}
      />
    </ActionDialog>
  );
}

/** What the edit came to. */
function outcomeOf(before: Order, after: Order): string {
  if (after.status === 'cancelled') return `Nothing was left: order ${after.number} is cancelled`;
  const back = after.refunded.amount - before.refunded.amount;
  const parts = [`Order ${after.number} is changed`];
  if (back > 0) parts.push(`${formatMoney({ ...after.refunded, amount: back })} go back`);
  const added = after.supplements.find((s) => !before.supplements.some((b) => b.order_id === s.order_id));
  if (added) parts.push(`order ${added.number} has what was added`);
  return parts.join('; ');
}
