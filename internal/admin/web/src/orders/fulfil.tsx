import { Autocomplete, Group, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Fulfilment, Order, Tracking } from '../api/types';
import { countOf } from '../format/words';
import { ActionDialog, type DialogProps } from './action-dialog';
import { CountLines } from './count-lines';
import { countsOf, piecesOf, sumOf, unsent } from './pieces';

// The server knows the pages of these, and makes the link from the number.
const carriers = ['Deutsche Post', 'DHL', 'DPD', 'FedEx', 'GLS', 'Royal Mail', 'UPS', 'USPS'];

/** Records a parcel: everything that is left, or a part of it. */
export function Fulfil({ order, onClose }: DialogProps<Order>) {
  const lines = order.lines.filter((line) => unsent(line) > 0);
  const [counts, setCounts] = useState(() => countsOf(lines, unsent));
  const [tracking, setTracking] = useState<Tracking>({});
  const [all, going] = [sumOf(countsOf(lines, unsent)), sumOf(counts)];
  const fulfil = useOrderAction(
    order.id,
    () => api.fulfilOrder(order.id, piecesOf(counts), trimmed(tracking)),
    going === all
      ? `Order ${order.number} is fulfilled`
      : `${countOf(going, 'item')} of order ${order.number} marked as sent`,
  );
  return (
    <ActionDialog
      title={`Mark order ${order.number} fulfilled`}
      confirm={going === all ? 'Mark fulfilled' : `Send ${countOf(going, 'item')}`}
      ready={going > 0}
      pending={fulfil.isPending}
      error={fulfil.error}
      onClose={onClose}
      onConfirm={() => {
        fulfil.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">What is in the parcel? The rest can be sent later.</Text>
      <CountLines lines={lines} counts={counts} onChange={setCounts} max={unsent} />
      <TrackingFields value={tracking} onChange={setTracking} />
      <Text size="xs" c="dimmed">
        The customer gets a mail with the tracking link.
      </Text>
    </ActionDialog>
  );
}

/** Says how a parcel that went out can be followed. */
export function EditTracking({ order, parcel, onClose }: DialogProps<Order> & { parcel: Fulfilment }) {
  const [tracking, setTracking] = useState<Tracking>({
    carrier: parcel.carrier ?? '',
    tracking: parcel.tracking ?? '',
  });
  const save = useOrderAction(
    order.id,
    () => api.setTracking(order.id, parcel.id, trimmed(tracking)),
    'The tracking is saved',
  );
  return (
    <ActionDialog
      title="Tracking of the parcel"
      confirm="Save"
      pending={save.isPending}
      error={save.error}
      onClose={onClose}
      onConfirm={() => {
        save.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <TrackingFields value={tracking} onChange={setTracking} />
    </ActionDialog>
  );
}

function TrackingFields({ value, onChange }: { value: Tracking; onChange: (value: Tracking) => void }) {
  return (
    <Group grow align="flex-start" gap="sm">
      <Autocomplete
        label="Carrier"
        placeholder="Optional"
        data={carriers}
        maxLength={80}
        value={value.carrier ?? ''}
        onChange={(carrier) => {
          onChange({ ...value, carrier });
        }}
      />
      <TextInput
        label="Tracking number"
        placeholder="Optional"
        maxLength={120}
        data-autofocus
        value={value.tracking ?? ''}
        onChange={(e) => {
          onChange({ ...value, tracking: e.currentTarget.value });
        }}
      />
    </Group>
  );
}

/** The tracking without what was left empty. */
function trimmed({ carrier = '', tracking = '' }: Tracking): Tracking {
  return {
    ...(carrier.trim() && { carrier: carrier.trim() }),
    ...(tracking.trim() && { tracking: tracking.trim() }),
  };
}
