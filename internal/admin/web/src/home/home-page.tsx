import { Anchor, Grid, Group, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { IconReceipt } from '@tabler/icons-react';
import { lazy, Suspense } from 'react';
import { Link } from 'react-router';
import { useOverview, useRecentOrders } from '../api/queries';
import type { LowStock, OrderSummary, Overview } from '../api/types';
import { Card } from '../components/card';
import { MoneyText } from '../components/money-text';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { EmptyState, ErrorState } from '../components/states';
import { OrderStatusLabel } from '../components/status';
import { RelativeTime } from '../components/time';
import { formatMoney } from '../format/money';
import classes from './home.module.css';
import { Tile } from './tile';

// The chart library is the heaviest part of the application; figures do not wait for it.
const RevenueChart = lazy(async () => ({ default: (await import('./revenue-chart')).RevenueChart }));

/** What happened today, and what waits to be done. */
export function HomePage() {
  usePageTitle('Home');
  return (
    <>
      <PageHeader title="Home" />
      <Stack gap="md">
        <Figures />
        <RecentOrders />
      </Stack>
    </>
  );
}

function Figures() {
  const overview = useOverview();
  if (overview.isPending) return <FiguresSkeleton />;
  if (!overview.data) {
    return (
      <Card>
        <ErrorState error={overview.error} onRetry={overview.refetch} />
      </Card>
    );
  }
  const data = overview.data;
  return (
    <>
      <Tiles data={data} />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Card tall title="Revenue, last 30 days" aside={<MonthTotal data={data} />}>
            <Suspense fallback={<Skeleton height={232} />}>
              <RevenueChart days={data.last_30_days} currency={data.currency} />
            </Suspense>
          </Card>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <LowStockList items={data.low_stock} />
        </Grid.Col>
      </Grid>
    </>
  );
}

function Tiles({ data }: { data: Overview }) {
  const { today, yesterday, to_fulfil: toFulfil } = data;
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
      <Tile
        label="Orders today"
        value={today.orders.toLocaleString()}
        note={`${yesterday.orders.toLocaleString()} yesterday`}
      />
      <Tile
        label="Revenue today"
        value={formatMoney(today.revenue)}
        note={`${formatMoney(yesterday.revenue)} yesterday`}
      />
      <Tile
        label="To fulfil"
        value={toFulfil.toLocaleString()}
        note={toFulfil > 0 ? 'Paid and waiting' : 'All sent'}
        to="/orders?status=paid"
      />
      <Tile label="Average order" value={averageOrder(data)} note="Last 30 days" />
    </SimpleGrid>
  );
}

/** What an order of the last 30 days was worth; a dash while there were none. */
function averageOrder({ last_30_days: days, currency }: Overview): string {
  const orders = days.reduce((sum, day) => sum + day.orders, 0);
  const amount = days.reduce((sum, day) => sum + day.revenue.amount, 0);
  return orders > 0 ? formatMoney({ amount: Math.round(amount / orders), currency }) : '–';
}

function MonthTotal({ data }: { data: Overview }) {
  const amount = data.last_30_days.reduce((sum, day) => sum + day.revenue.amount, 0);
  return (
    <Text size="sm" c="dimmed" component="div">
      <MoneyText value={{ amount, currency: data.currency }} />
    </Text>
  );
}

function LowStockList({ items }: { items: LowStock[] }) {
  return (
    <Card title="Low stock" flush tall>
      {items.length === 0 ? (
        <Text size="sm" c="dimmed" px="md" pb="md">
          Nothing runs out at the moment.
        </Text>
      ) : (
        <ul className={`${classes.list} ${classes.scroll}`}>
          {items.map((item) => (
            <li key={item.sku}>
              <Link to={`/products/${item.product_id}`} className={classes.item}>
                <div className={classes.what}>
                  <Text size="sm" truncate>
                    {item.title}
                  </Text>
                  <Text size="xs" c="dimmed" truncate>
                    {item.sku}
                  </Text>
                </div>
                <Text
                  size="sm"
                  fw={600}
                  className="figures"
                  c={item.available > 0 ? undefined : 'var(--mantine-color-error)'}
                >
                  {item.available > 0 ? `${item.available} left` : 'Sold out'}
                </Text>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function RecentOrders() {
  const orders = useRecentOrders();
  return (
    <Card
      title="Recent orders"
      flush
      aside={
        <Anchor component={Link} to="/orders" size="sm" c="var(--accent-text)">
          All orders
        </Anchor>
      }
    >
      {orders.isPending ? (
        <Stack gap="xs" px="md" pb="md" aria-busy>
          {Array.from({ length: 5 }, (_, n) => (
            <Skeleton key={n} height={28} />
          ))}
        </Stack>
      ) : !orders.data ? (
        <ErrorState error={orders.error} onRetry={orders.refetch} />
      ) : orders.data.items.length === 0 ? (
        <EmptyState
          icon={<IconReceipt stroke={1.3} aria-hidden />}
          title="No orders yet"
          description="The first order shows up here the moment a customer completes a checkout."
        />
      ) : (
        <ul className={classes.list}>
          {orders.data.items.map((order) => (
            <li key={order.id}>
              <RecentOrder order={order} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function RecentOrder({ order }: { order: OrderSummary }) {
  return (
    <Link to={`/orders/${order.id}`} className={classes.item}>
      <div className={classes.what}>
        <Text size="sm" truncate>
          <Text span size="sm" fw={600} className="figures" mr="xs">
            {order.number}
          </Text>
          {order.customer_name || order.email}
        </Text>
        <Text size="xs" c="dimmed">
          <RelativeTime at={order.placed_at} />
        </Text>
      </div>
      <Group gap="lg" wrap="nowrap" fz="sm" className={classes.facts}>
        <OrderStatusLabel status={order.status} />
        <Text size="sm" ta="right" className={classes.total} component="div">
          <MoneyText value={order.total} />
        </Text>
      </Group>
    </Link>
  );
}

function FiguresSkeleton() {
  return (
    <Stack gap="md" aria-busy>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
        {Array.from({ length: 4 }, (_, n) => (
          <Skeleton key={n} height={98} radius="lg" />
        ))}
      </SimpleGrid>
      <Skeleton height={290} radius="lg" />
    </Stack>
  );
}
