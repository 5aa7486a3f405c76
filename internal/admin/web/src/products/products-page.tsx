import { Button, Group, Stack, Text } from '@mantine/core';
import { IconPackage } from '@tabler/icons-react';
import type { DataTableColumn } from 'mantine-datatable';
import { Link } from 'react-router';
import { useProducts } from '../api/queries';
import { productStatuses, type ProductSummary } from '../api/types';
import { FilterBar, useListFilter } from '../components/list-filter';
import { ListTable } from '../components/list-table';
import { PriceRange } from '../components/money-text';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { EmptyState } from '../components/states';
import { ProductStatusLabel } from '../components/status';
import { Thumb } from '../components/thumb';
import { countOf } from '../format/words';

const linkOf = (product: ProductSummary) => `/products/${product.id}`;

const columns: DataTableColumn<ProductSummary>[] = [
  {
    accessor: 'title',
    title: 'Product',
    ellipsis: true,
    width: '38%',
    render: (product) => <Name product={product} />,
  },
  {
    accessor: 'status',
    title: 'Status',
    render: (product) => <ProductStatusLabel status={product.status} />,
  },
  {
    accessor: 'category',
    title: 'Category',
    noWrap: true,
    render: (product) => product.category || '–',
  },
  {
    accessor: 'price',
    title: 'Price',
    textAlign: 'right',
    render: (product) => <PriceRange from={product.price} to={product.price_max} />,
  },
  { accessor: 'stock', title: 'Stock', textAlign: 'right', render: (product) => <Stock product={product} /> },
];

/** All products, of every status. */
export function ProductsPage() {
  usePageTitle('Products');
  const { filter } = useListFilter();
  const products = useProducts(filter);
  const filtered = Boolean(filter.q || filter.status);
  return (
    <>
      <PageHeader title="Products" />
      <FilterBar statuses={productStatuses} searchLabel="Search products" />
      <ListTable
        label="Products"
        query={products}
        columns={columns}
        linkOf={linkOf}
        renderCard={(product) => <ProductCard product={product} />}
        empty={filtered ? <NothingFound /> : <NoProducts />}
      />
    </>
  );
}

function Name({ product }: { product: ProductSummary }) {
  return (
    <Group gap="sm" wrap="nowrap">
      <Thumb image={product.image} />
      <Link to={linkOf(product)} className="link">
        <Text span size="sm" fw={500}>
          {product.title}
        </Text>
      </Link>
    </Group>
  );
}

function Stock({ product }: { product: ProductSummary }) {
  return (
    <Text span size="sm" className="figures" c={product.stock > 0 ? undefined : 'var(--mantine-color-error)'}>
      {product.stock > 0 ? product.stock.toLocaleString() : 'Sold out'}
      {product.variant_count > 1 && (
        <Text span size="xs" c="dimmed">
          {' '}
          in {countOf(product.variant_count, 'variant')}
        </Text>
      )}
    </Text>
  );
}

function ProductCard({ product }: { product: ProductSummary }) {
  return (
    <Group gap="sm" wrap="nowrap">
      <Thumb image={product.image} size={52} />
      <Stack gap={2} miw={0} flex={1}>
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <Text size="sm" fw={500} truncate>
            {product.title}
          </Text>
          <Text size="sm" component="div">
            <PriceRange from={product.price} to={product.price_max} />
          </Text>
        </Group>
        <Group justify="space-between" wrap="nowrap" gap="xs" fz="sm">
          <ProductStatusLabel status={product.status} />
          <Stock product={product} />
        </Group>
      </Stack>
    </Group>
  );
}

function NoProducts() {
  return (
    <EmptyState
      icon={<IconPackage stroke={1.3} aria-hidden />}
      title="No products yet"
      description="Bring a catalogue in with the command “shopd import products FILE”."
    />
  );
}

function NothingFound() {
  return (
    <EmptyState title="No product matches" description="Try fewer or other words, or another status.">
      <Button component={Link} to="/products" variant="default">
        Show all products
      </Button>
    </EmptyState>
  );
}
