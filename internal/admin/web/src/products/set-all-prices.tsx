import { Button, Popover, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';
import type { Product } from '../api/types';
import { parseMoney } from '../format/money';
import { currencyOf } from './draft';
import type { ProductForm } from './use-product-form';

/** Writes one price into the fields of all variants; nothing is saved before the form is. */
export function SetAllPrices({ product, form }: { product: Product; form: ProductForm }) {
  const [opened, setOpened] = useState(false);
  const [text, setText] = useState('');
  const currency = currencyOf(product);
  const valid = parseMoney(text, currency) !== null;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!valid) return;
    form.editPrices(
      product.variants.map((v) => v.id),
      { price: text.trim() },
    );
    setOpened(false);
    setText('');
  };
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus withArrow shadow="md">
      <Popover.Target>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => {
            setOpened((o) => !o);
          }}
        >
          Set all prices
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Set all prices">
        <form onSubmit={submit}>
          <Stack gap="xs">
            <TextInput
              size="xs"
              label={`Price in ${currency}`}
              inputMode="decimal"
              value={text}
              error={text !== '' && !valid ? `Not an amount in ${currency}` : undefined}
              onChange={(e) => {
                setText(e.currentTarget.value);
              }}
            />
            <Button type="submit" size="xs" disabled={!valid}>
              Apply to {product.variants.length} variants
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
