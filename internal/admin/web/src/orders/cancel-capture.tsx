import { Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Money, Order } from '../api/types';
import { formatMoney, parseMoney, toDecimal } from '../format/money';
import { amountProblem } from './amount';
import { ActionDialog, type DialogProps } from './action-dialog';

/** Cancels the order, which voids or refunds its payment. */
export function Cancel({ order, onClose }: DialogProps<Order>) {
  const [reason, setReason] = useState('');
  const cancel = useOrderAction(
    order.id,
    () => api.cancelOrder(order.id, reason.trim()),
    `Order ${order.number} is cancelled`,
  );
  return (
    <ActionDialog
      title={`Cancel order ${order.number}?`}
      confirm="Cancel the order"
      keep="Keep the order"
      danger
      pending={cancel.isPending}
      error={cancel.error}
      onClose={onClose}
      onConfirm={() => {
        cancel.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">
        The items go back to stock, and what was paid is given back. This cannot be undone.
      </Text>
      <Textarea
        label="Reason"
        description="Kept in the timeline; the customer does not see it."
        data-autofocus
        autosize
        minRows={2}
        maxLength={500}
        value={reason}
        onChange={(e) => {
          setReason(e.currentTarget.value);
        }}
      />
    </ActionDialog>
  );
}

/** Takes the money of a payment that waits for it, or a part of it. */
export function Capture({ order, onClose }: DialogProps<Order>) {
  const { total } = order.totals;
  const [text, setText] = useState(toDecimal(total));
  const amount = parseMoney(text, order.currency);
  const capture = useOrderAction(
    order.id,
    (taken: Money) => api.captureOrder(order.id, taken.amount === total.amount ? undefined : taken),
    'The payment is captured',
  );
  const wrong = amountProblem(amount, total);
  const authorised = order.payments.some((p) => p.status === 'authorised');
  return (
    <ActionDialog
      title="Capture the payment?"
      confirm="Capture"
      ready={!wrong}
      pending={capture.isPending}
      error={capture.error}
      onClose={onClose}
      onConfirm={() => {
        if (amount) capture.mutate(amount, { onSuccess: onClose });
      }}
    >
      <Text size="sm">
        {authorised
          ? 'The money is taken from the customer. What is not taken is let go of and cannot be taken later.'
          : 'The money counts as received. What is missing of it cannot be asked for later.'}
      </Text>
      <TextInput
        label={`Amount in ${order.currency}`}
        description={`At most ${formatMoney(total)}`}
        inputMode="decimal"
        value={text}
        error={wrong}
        onChange={(e) => {
          setText(e.currentTarget.value);
        }}
      />
    </ActionDialog>
  );
}
