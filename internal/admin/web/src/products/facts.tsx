import { Group, NativeSelect, Stack, Text } from '@mantine/core';
import { type Product, productStatuses, type ProductStatus } from '../api/types';
import { Card } from '../components/card';
import { Thumb } from '../components/thumb';
import { humanise, pathText } from '../format/words';
import type { ProductForm } from './use-product-form';

const meaning: Record<ProductStatus, string> = {
  active: 'Shoppers can find and buy it.',
  draft: 'Only staff can see it.',
  archived: 'Out of the shop, kept for old orders.',
};

/** Status, and where the product stands in the catalogue. */
export function Organisation({
  product,
  form: { base, edits, edit },
}: {
  product: Product;
  form: ProductForm;
}) {
  const status = edits.status ?? base.status;
  return (
    <Card title="Status">
      <Stack gap="sm">
        <NativeSelect
          aria-label="Status"
          description={meaning[status]}
          inputWrapperOrder={['input', 'description']}
          data={productStatuses.map((value) => ({ value, label: humanise(value) }))}
          value={status}
          onChange={(e) => {
            edit({ status: e.currentTarget.value as ProductStatus });
          }}
        />
        <Fact
          label="Category"
          value={product.category ? pathText(product.category.path) || product.category.name : 'None'}
        />
        {product.brand && <Fact label="Brand" value={product.brand} />}
      </Stack>
    </Card>
  );
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text size="sm">{value}</Text>
    </div>
  );
}

/** The product's pictures, the first being the one in lists. */
export function Pictures({ product }: { product: Product }) {
  return (
    <Card title="Pictures">
      {product.images.length === 0 ? (
        <Text size="sm" c="dimmed">
          No pictures
        </Text>
      ) : (
        <Group gap="xs">
          {product.images.map((image) => (
            <Thumb key={image.url} image={image} size={88} alt={image.alt || product.title} />
          ))}
        </Group>
      )}
    </Card>
  );
}
