import { Alert, Button, Group, Modal, NumberInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type SubmitEvent, useState } from 'react';
import { messageOf } from '../api/client';
import { api } from '../api/endpoints';
import { keys } from '../api/queries';
import type { Product, StockLevel, Variant } from '../api/types';
import { optionText } from '../format/words';

const reasons = ['Received', 'Counted', 'Damaged', 'Lost', 'Returned', 'Other'];

interface AdjustStockProps {
  productId: string;
  /** The variant to adjust; null keeps the dialog closed. */
  variant: Variant | null;
  onClose: () => void;
}

/** Asks how many came in or went missing, and why. */
export function AdjustStock({ productId, variant, onClose }: AdjustStockProps) {
  return (
    <Modal
      opened={variant !== null}
      onClose={onClose}
      title={variant && `Adjust stock of ${optionText(variant.options) || variant.sku}`}
    >
      {variant && <AdjustForm key={variant.id} productId={productId} variant={variant} onClose={onClose} />}
    </Modal>
  );
}

function AdjustForm({ productId, variant, onClose }: AdjustStockProps & { variant: Variant }) {
  const client = useQueryClient();
  const [quantity, setQuantity] = useState<number | string>('');
  const [reason, setReason] = useState(reasons[0] ?? '');
  const [note, setNote] = useState('');
  const change = typeof quantity === 'number' ? quantity : 0;
  const adjust = useMutation({
    mutationFn: () =>
      api.adjustStock(variant.sku, change, note.trim() ? `${reason}: ${note.trim()}` : reason),
    onSuccess: (level) => {
      client.setQueryData<Product>(
        keys.product(productId),
        (product) => product && withStock(product, level),
      );
      void client.invalidateQueries({ queryKey: keys.products() });
      void client.invalidateQueries({ queryKey: keys.overview });
      notifications.show({ message: `${variant.sku}: ${level.available} available`, color: 'green' });
      onClose();
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (change !== 0) adjust.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <NumberInput
          label="Change"
          description="5 came in, −2 went missing"
          allowDecimal={false}
          min={-1_000_000}
          max={1_000_000}
          data-autofocus
          value={quantity}
          onChange={setQuantity}
        />
        <Select
          label="Reason"
          data={reasons}
          value={reason}
          allowDeselect={false}
          onChange={(r) => {
            setReason(r ?? '');
          }}
        />
        <TextInput
          label="Note"
          description="Optional"
          maxLength={180}
          value={note}
          onChange={(e) => {
            setNote(e.currentTarget.value);
          }}
        />
        <Text size="sm" c="dimmed" className="figures" aria-live="polite">
          On hand {variant.on_hand.toLocaleString()} → {(variant.on_hand + change).toLocaleString()},
          available {variant.available.toLocaleString()} → {(variant.available + change).toLocaleString()}
        </Text>
        {adjust.isError && (
          <Alert color="red" role="alert">
            {messageOf(adjust.error)}
          </Alert>
        )}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <Button type="submit" disabled={change === 0} loading={adjust.isPending}>
            Adjust stock
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function withStock(product: Product, { sku, on_hand, reserved, available }: StockLevel): Product {
  const variants = product.variants.map((v) => (v.sku === sku ? { ...v, on_hand, reserved, available } : v));
  return { ...product, variants };
}
