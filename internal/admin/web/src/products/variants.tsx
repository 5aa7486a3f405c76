import { Button, Group, Stack, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import 'mantine-datatable/styles.css';
import { useState } from 'react';
import type { Product, Variant } from '../api/types';
import { Card } from '../components/card';
import { exponentOf } from '../format/money';
import { countOf, optionText } from '../format/words';
import { AdjustStock } from './adjust-stock';
import { currencyOf, priceErrors, priceTexts } from './draft';
import classes from './product.module.css';
import { SetAllPrices } from './set-all-prices';
import type { ProductForm } from './use-product-form';

interface VariantsProps {
  product: Product;
  form: ProductForm;
}

/** Price and stock of every variant. Prices are saved with the form; stock changes at once, each with its reason. */
export function Variants({ product, form }: VariantsProps) {
  const phone = useMediaQuery('(max-width: 47.99em)', undefined, { getInitialValueInEffect: false });
  const [adjusting, setAdjusting] = useState<Variant | null>(null);
  const several = product.variants.length > 1;
  return (
    <Card
      title={several ? 'Variants' : 'Price and stock'}
      flush
      aside={
        several && (
          <Group gap="sm">
            <Text size="sm" c="dimmed">
              {countOf(product.variants.length, 'variant')}
            </Text>
            <SetAllPrices product={product} form={form} />
          </Group>
        )
      }
    >
      {phone ? (
        <VariantList product={product} form={form} onAdjust={setAdjusting} />
      ) : (
        <VariantTable product={product} form={form} onAdjust={setAdjusting} />
      )}
      <AdjustStock
        productId={product.id}
        variant={adjusting}
        onClose={() => {
          setAdjusting(null);
        }}
      />
    </Card>
  );
}

type WithAdjust = VariantsProps & { onAdjust: (variant: Variant) => void };

function VariantTable({ product, form, onAdjust }: WithAdjust) {
  const currency = currencyOf(product);
  const columns: DataTableColumn<Variant>[] = [
    { accessor: 'sku', title: 'Variant', render: (variant) => <Name variant={variant} /> },
    {
      accessor: 'price',
      title: `Price (${currency})`,
      width: 132,
      render: (variant) => <PriceField variant={variant} form={form} field="price" />,
    },
    {
      accessor: 'compare_at_price',
      title: 'Compare at',
      width: 132,
      render: (variant) => <PriceField variant={variant} form={form} field="compareAt" />,
    },
    { accessor: 'on_hand', title: 'On hand', textAlign: 'right', cellsClassName: 'figures' },
    { accessor: 'reserved', title: 'Reserved', textAlign: 'right', cellsClassName: 'figures' },
    {
      accessor: 'available',
      title: 'Available',
      textAlign: 'right',
      render: (variant) => <Available variant={variant} />,
    },
    {
      accessor: 'adjust',
      title: <VisuallyHidden>Actions</VisuallyHidden>,
      textAlign: 'right',
      render: (variant) => <AdjustButton variant={variant} onAdjust={onAdjust} />,
    },
  ];
  return (
    <DataTable
      aria-label="Variants"
      records={product.variants}
      columns={columns}
      idAccessor="id"
      verticalSpacing={6}
      horizontalSpacing="md"
      fz="sm"
      backgroundColor="transparent"
      borderColor="var(--line)"
      rowBorderColor="var(--line)"
      classNames={{ header: classes.head }}
    />
  );
}

function VariantList({ product, form, onAdjust }: WithAdjust) {
  return (
    <ul className={classes.variants} aria-label="Variants">
      {product.variants.map((variant) => (
        <li key={variant.id} className={classes.variant}>
          <Stack gap="xs">
            <Name variant={variant} />
            <Group grow gap="sm" align="start">
              <PriceField variant={variant} form={form} field="price" labelled />
              <PriceField variant={variant} form={form} field="compareAt" labelled />
            </Group>
            <Group justify="space-between" gap="xs">
              <Text size="sm" c="dimmed">
                {variant.on_hand.toLocaleString()} on hand, {variant.reserved.toLocaleString()} reserved,{' '}
                <Available variant={variant} /> available
              </Text>
              <AdjustButton variant={variant} onAdjust={onAdjust} />
            </Group>
          </Stack>
        </li>
      ))}
    </ul>
  );
}

function Name({ variant }: { variant: Variant }) {
  const options = optionText(variant.options);
  return (
    <div>
      <Text size="sm" fw={500}>
        {options || variant.sku}
      </Text>
      {options && (
        <Text size="xs" c="dimmed">
          {variant.sku}
        </Text>
      )}
    </div>
  );
}

interface PriceFieldProps {
  variant: Variant;
  form: ProductForm;
  field: 'price' | 'compareAt';
  labelled?: boolean;
}

function PriceField({ variant, form, field, labelled = false }: PriceFieldProps) {
  // Prices are shown as the form's base has them, so that typing and the marks of a conflict agree.
  const based = form.base.variants.find((v) => v.id === variant.id) ?? variant;
  const currency = currencyOf(form.base);
  const label = field === 'price' ? 'Price' : 'Compare at';
  return (
    <TextInput
      size="xs"
      label={labelled ? label : undefined}
      aria-label={`${label} of ${optionText(variant.options) || variant.sku}`}
      inputMode={exponentOf(currency) === 0 ? 'numeric' : 'decimal'}
      placeholder={field === 'compareAt' ? 'None' : undefined}
      className="figures"
      // Without any price nothing tells the currency.
      disabled={currency === ''}
      value={priceTexts(based, form.edits)[field]}
      error={priceErrors(based, currency, form.edits)[field]}
      onChange={(e) => {
        form.editPrices([variant.id], { [field]: e.currentTarget.value });
      }}
    />
  );
}

function Available({ variant }: { variant: Variant }) {
  return (
    <Text
      span
      size="sm"
      fw={500}
      className="figures"
      c={variant.available > 0 ? undefined : 'var(--mantine-color-error)'}
    >
      {variant.available.toLocaleString()}
    </Text>
  );
}

function AdjustButton({ variant, onAdjust }: { variant: Variant; onAdjust: (variant: Variant) => void }) {
  return (
    <Button
      size="compact-sm"
      variant="default"
      aria-label={`Adjust the stock of ${optionText(variant.options) || variant.sku}`}
      onClick={() => {
        onAdjust(variant);
      }}
    >
      Adjust
    </Button>
  );
}
