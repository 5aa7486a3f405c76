import { Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Money, Order } from '../api/types';
import { formatMoney, parseMoney, toDecimal } from '../format/money';
import { ActionDialog, type DialogProps } from './action-dialog';
import { amountProblem } from './amount';

/** Gives money back that no goods stand for. */
export function RefundOrder({ order, onClose }: DialogProps<Order>) {
  const { currency, refundable } = order;
  const [text, setText] = useState('');
  const [reason, setReason] = useState('');
  const amount = parseMoney(text, currency);
  const refund = useOrderAction(
    order.id,
    (given: Money) => api.refundOrder(order.id, given, reason.trim()),
    (_, given) => `${formatMoney(given)} go back to the customer`,
  );
  const wrong = text === '' ? undefined : amountProblem(amount, refundable);
  return (
    <ActionDialog
      title={`Refund order ${order.number}`}
      confirm={amount && !wrong ? `Refund ${formatMoney(amount)}` : 'Refund'}
      ready={amount !== null && !wrong}
      pending={refund.isPending}
      error={refund.error}
      onClose={onClose}
      onConfirm={() => {
        if (amount) refund.mutate(amount, { onSuccess: onClose });
      }}
    >
      <Text size="sm">
        The order goes on as it is. For goods that come back begin a return, for goods that are not sent yet
        edit the items: these count the stock as well.
      </Text>
      <TextInput
        label={`Amount in ${currency}`}
        description={`At most ${formatMoney(refundable)}`}
        placeholder={toDecimal(refundable)}
        inputMode="decimal"
        data-autofocus
        value={text}
        error={wrong}
        onChange={(e) => {
          setText(e.currentTarget.value);
        }}
      />
      <Textarea
        label="Reason"
        description="The customer reads it on the page of the order."
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
