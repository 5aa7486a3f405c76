import { Anchor, Grid, Stack, Text } from '@mantine/core';
import { useParams } from 'react-router';
import { ApiError } from '../api/client';
import { useOrder } from '../api/queries';
import type { Address, Order } from '../api/types';
import { Card } from '../components/card';
import { PageLoader } from '../components/list-table';
import { NotFound } from '../components/not-found';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { ErrorState } from '../components/states';
import { OrderStatusLabel } from '../components/status';
import { DayAndTime } from '../components/time';
import { Documents, RelatedOrders } from './documents';
import { History } from './history';
import { Lines } from './lines';
import { OrderActions } from './order-actions';
import { Parcels } from './parcels';
import { Payments } from './payments';
import { Returns } from './returns';

/** One order: what was bought, how it was paid, where it goes, what happened. */
export function OrderPage() {
  const { id = '' } = useParams();
  const order = useOrder(id);
  usePageTitle(order.data ? `Order ${order.data.number}` : 'Order');
  if (order.isPending) return <PageLoader />;
  if (order.isError) {
    if (order.error instanceof ApiError && order.error.status === 404) return <NotFound what="order" />;
    return <ErrorState error={order.error} onRetry={order.refetch} />;
  }
  return <OrderView order={order.data} />;
}

function OrderView({ order }: { order: Order }) {
  return (
    <>
      <PageHeader
        back={{ to: '/orders', label: 'Orders' }}
        title={`Order ${order.number}`}
        meta={
          <>
            <OrderStatusLabel status={order.status} />
            <Text size="sm" c="dimmed">
              <DayAndTime at={order.placed_at} />
            </Text>
          </>
        }
        actions={<OrderActions order={order} />}
      />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Stack gap="md">
            <Lines order={order} />
            <Returns order={order} />
            <Parcels order={order} />
            <Payments order={order} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Stack gap="md">
            <Customer order={order} />
            <RelatedOrders order={order} />
            <Documents order={order} />
            <History order={order} />
          </Stack>
        </Grid.Col>
      </Grid>
    </>
  );
}

function Customer({ order }: { order: Order }) {
  return (
    <Card title="Customer">
      <Stack gap="sm">
        <Anchor href={`mailto:${order.email}`} size="sm" truncate>
          {order.email}
        </Anchor>
        <div>
          <Text size="xs" c="dimmed" mb={2}>
            Ships to
          </Text>
          <AddressText address={order.shipping_address} />
        </div>
        {order.shipping_method.name && (
          <div>
            <Text size="xs" c="dimmed" mb={2}>
              Shipping method
            </Text>
            <Text size="sm">{order.shipping_method.name}</Text>
          </div>
        )}
      </Stack>
    </Card>
  );
}

const countries = new Intl.DisplayNames(undefined, { type: 'region', fallback: 'code' });

function AddressText({ address }: { address: Address }) {
  const parts = [
    address.name,
    address.line1,
    address.line2,
    townLine(address),
    countryName(address.country),
    address.phone,
  ];
  return (
    <Text component="address" size="sm" fs="normal">
      {parts.filter(Boolean).map((part, n) => (
        <span key={n}>
          {part}
          <br />
        </span>
      ))}
    </Text>
  );
}

/** The line of the town in the order its country writes it. */
function townLine({ city, region, postal_code: code, country }: Address): string {
  if (!['US', 'CA', 'AU'].includes(country)) return [code, city, region].filter(Boolean).join(' ');
  return [city, [region, code].filter(Boolean).join(' ')].filter(Boolean).join(', ');
}

function countryName(code: string): string {
  // DisplayNames throws on what is not a region code, and an old order may hold anything.
  return /^[A-Z]{2}$/.test(code) ? (countries.of(code) ?? code) : code;
}
