import { Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Order } from '../api/types';
import { formatMoney } from '../format/money';
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

/** Takes the money of a payment that waits for it. */
export function Capture({ order, onClose }: DialogProps<Order>) {
  const capture = useOrderAction(order.id, () => api.captureOrder(order.id), 'The payment is captured');
  const amounts = order.payments.filter((p) => p.status === 'authorised').map((p) => formatMoney(p.amount));
  return (
    <ActionDialog
      title="Capture the payment?"
      confirm="Capture"
      pending={capture.isPending}
      error={capture.error}
      onClose={onClose}
      onConfirm={() => {
        capture.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">
        {amounts.length > 0
          ? `${amounts.join(' and ')} will be taken from the customer.`
          : `${formatMoney(order.totals.total)} will be counted as received.`}
      </Text>
    </ActionDialog>
  );
}
