import { Button, Grid, Stack } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useParams } from 'react-router';
import { ApiError } from '../api/client';
import { useProduct } from '../api/queries';
import type { Product } from '../api/types';
import { PageLoader } from '../components/list-table';
import { NotFound } from '../components/not-found';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { ErrorState } from '../components/states';
import { ProductStatusLabel } from '../components/status';
import { DetailsForm } from './details-form';
import { Organisation, Pictures } from './facts';
import { SaveBar } from './save-bar';
import { useProductForm } from './use-product-form';
import { Variants } from './variants';

/** One product, to read and to change. */
export function ProductPage() {
  const { id = '' } = useParams();
  const product = useProduct(id);
  usePageTitle(product.data?.title ?? 'Product');
  if (product.isPending) return <PageLoader />;
  // A failed re-read in the background must not take the form away.
  if (product.data) return <ProductView key={id} product={product.data} />;
  if (product.error instanceof ApiError && product.error.status === 404) return <NotFound what="product" />;
  return <ErrorState error={product.error} onRetry={product.refetch} />;
}

function ProductView({ product }: { product: Product }) {
  const form = useProductForm(product);
  return (
    <>
      <PageHeader
        back={{ to: '/products', label: 'Products' }}
        title={product.title}
        meta={<ProductStatusLabel status={product.status} />}
        actions={
          product.status === 'active' && (
            <Button
              component="a"
              href={`/p/${product.slug}`}
              target="_blank"
              rel="noopener"
              variant="default"
              rightSection={<IconExternalLink size={14} aria-hidden />}
            >
              View in shop
            </Button>
          )
        }
      />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Stack gap="md">
            <DetailsForm form={form} />
            <Variants product={product} form={form} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Stack gap="md">
            <Organisation product={product} form={form} />
            <Pictures product={product} />
          </Stack>
        </Grid.Col>
      </Grid>
      <SaveBar form={form} />
    </>
  );
}
