import { Alert, Button, Group, Modal, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type SubmitEvent, type ReactNode, useState } from 'react';
import { messageOf } from '../api/client';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Order } from '../api/types';
import { formatMoney } from '../format/money';

/** What may be done with the order now, as the server says. Each asks before it does anything. */
export function OrderActions({ order }: { order: Order }) {
  const may = (action: Order['actions'][number]) => order.actions.includes(action);
  return (
    <>
      {may('cancel') && <Cancel order={order} />}
      {may('capture') && <Capture order={order} primary={!may('fulfil')} />}
      {may('fulfil') && <Fulfil order={order} />}
    </>
  );
}

function Cancel({ order }: { order: Order }) {
  const [reason, setReason] = useState('');
  const cancel = useOrderAction(
    order.id,
    () => api.cancelOrder(order.id, reason.trim()),
    `Order ${order.number} is cancelled`,
  );
  return (
    <ActionDialog
      label="Cancel order"
      title={`Cancel order ${order.number}?`}
      confirm="Cancel the order"
      keep="Keep the order"
      danger
      action={cancel}
    >
      <Text size="sm">
        The items go back to stock, and what was paid is given back. This cannot be undone.
      </Text>
      <Textarea
        label="Reason"
        description="Kept in the timeline; the customer does not see it."
        required
        withAsterisk={false}
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

function Capture({ order, primary }: { order: Order; primary: boolean }) {
  const capture = useOrderAction(order.id, () => api.captureOrder(order.id), 'The payment is captured');
  const amounts = order.payments.filter((p) => p.status === 'authorised').map((p) => formatMoney(p.amount));
  return (
    <ActionDialog
      label="Capture payment"
      title="Capture the payment?"
      confirm="Capture"
      primary={primary}
      action={capture}
    >
      <Text size="sm">
        {amounts.length > 0
          ? `${amounts.join(' and ')} will be taken`
          : 'The authorised amount will be taken'}{' '}
        from the customer.
      </Text>
    </ActionDialog>
  );
}

function Fulfil({ order }: { order: Order }) {
  const [tracking, setTracking] = useState('');
  const fulfil = useOrderAction(
    order.id,
    () => api.fulfilOrder(order.id, tracking.trim()),
    `Order ${order.number} is fulfilled`,
  );
  return (
    <ActionDialog
      label="Mark fulfilled"
      title={`Mark order ${order.number} fulfilled`}
      confirm="Mark fulfilled"
      primary
      action={fulfil}
    >
      <Text size="sm">Everything that has not been sent yet counts as sent.</Text>
      <TextInput
        label="Tracking number"
        description="Optional"
        maxLength={120}
        data-autofocus
        value={tracking}
        onChange={(e) => {
          setTracking(e.currentTarget.value);
        }}
      />
    </ActionDialog>
  );
}

interface ActionDialogProps {
  label: string;
  title: string;
  confirm: string;
  keep?: string;
  danger?: boolean;
  primary?: boolean;
  action: ReturnType<typeof useOrderAction>;
  children: ReactNode;
}

function ActionDialog({
  label,
  title,
  confirm,
  keep = 'Not now',
  danger,
  primary,
  action,
  children,
}: ActionDialogProps) {
  const [opened, { open, close }] = useDisclosure(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    action.mutate(undefined, { onSuccess: close });
  };
  const show = () => {
    action.reset();
    open();
  };
  return (
    <>
      <Button variant={primary ? 'filled' : 'default'} onClick={show}>
        {label}
      </Button>
      <Modal opened={opened} onClose={close} title={title}>
        <form onSubmit={submit}>
          <Stack gap="md">
            {children}
            {action.isError && (
              <Alert color="red" role="alert">
                {messageOf(action.error)}
              </Alert>
            )}
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                {keep}
              </Button>
              <Button type="submit" color={danger ? 'red.9' : undefined} loading={action.isPending}>
                {confirm}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
