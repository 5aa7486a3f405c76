import { Button, Group, Stack, Text } from '@mantine/core';
import { IconReceipt } from '@tabler/icons-react';
import type { DataTableColumn } from 'mantine-datatable';
import { Link } from 'react-router';
import { useOrders } from '../api/queries';
import { orderStatuses, type OrderSummary } from '../api/types';
import { FilterBar, useListFilter } from '../components/list-filter';
import { ListTable } from '../components/list-table';
import { MoneyText } from '../components/money-text';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { EmptyState } from '../components/states';
import { OrderStatusLabel, PaymentStatusLabel } from '../components/status';
import { RelativeTime } from '../components/time';
import { countOf } from '../format/words';

const linkOf = (order: OrderSummary) => `/orders/${order.id}`;

const columns: DataTableColumn<OrderSummary>[] = [
  {
    accessor: 'number',
    title: 'Order',
    render: (order) => (
      <Link to={linkOf(order)} className="link figures">
        <Text span fw={600} size="sm">
          {order.number}
        </Text>
      </Link>
    ),
  },
  {
    accessor: 'placed_at',
    title: 'Date',
    noWrap: true,
    render: (order) => <RelativeTime at={order.placed_at} />,
  },
  {
    accessor: 'customer_name',
    title: 'Customer',
    ellipsis: true,
    width: '26%',
    render: (order) => <Customer order={order} />,
  },
  { accessor: 'status', title: 'Status', render: (order) => <OrderStatusLabel status={order.status} /> },
  {
    accessor: 'payment_status',
    title: 'Payment',
    render: (order) => <PaymentStatusLabel status={order.payment_status} />,
  },
  { accessor: 'item_count', title: 'Items', textAlign: 'right', cellsClassName: 'figures' },
  {
    accessor: 'total',
    title: 'Total',
    textAlign: 'right',
    render: (order) => <MoneyText value={order.total} />,
  },
];

/** All orders, the newest first. */
export function OrdersPage() {
  usePageTitle('Orders');
  const { filter } = useListFilter();
  const orders = useOrders(filter);
  const filtered = Boolean(filter.q || filter.status);
  return (
    <>
      <PageHeader title="Orders" />
      <FilterBar statuses={orderStatuses} searchLabel="Order number or e-mail" />
      <ListTable
        label="Orders"
        query={orders}
        columns={columns}
        linkOf={linkOf}
        renderCard={(order) => <OrderCard order={order} />}
        empty={filtered ? <NothingFound /> : <NoOrders />}
      />
    </>
  );
}

function Customer({ order }: { order: OrderSummary }) {
  return (
    <span title={order.email}>
      {order.customer_name || order.email}
      {order.customer_name && (
        <Text span size="sm" c="dimmed">
          {' '}
          {order.email}
        </Text>
      )}
    </span>
  );
}

/** One order where there is no room for a row. */
export function OrderCard({ order }: { order: OrderSummary }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} size="sm">
          {order.number}
        </Text>
        <Text fw={600} size="sm" component="div">
          <MoneyText value={order.total} />
        </Text>
      </Group>
      <Group justify="space-between" wrap="nowrap" fz="sm">
        <Text size="sm" truncate>
          {order.customer_name || order.email}
        </Text>
        <OrderStatusLabel status={order.status} />
      </Group>
      <Text size="xs" c="dimmed">
        <RelativeTime at={order.placed_at} /> · {countOf(order.item_count, 'item')}
      </Text>
    </Stack>
  );
}

function NoOrders() {
  return (
    <EmptyState
      icon={<IconReceipt stroke={1.3} aria-hidden />}
      title="No orders yet"
      description="The first order shows up here the moment a customer completes a checkout."
    />
  );
}

function NothingFound() {
  return (
    <EmptyState
      title="No order matches"
      description="Search takes a whole order number or a whole e-mail address."
    >
      <Button component={Link} to="/orders" variant="default">
        Show all orders
      </Button>
    </EmptyState>
  );
}
