import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { overviewOf } from '../mock/shop';
import { formatMoney } from '../src/format/money';
import { renderApp } from './render';
import { openShop } from './server';

it('shows the day, what waits, and the latest orders', async () => {
  const shop = openShop();
  renderApp('/');
  const { today, to_fulfil: toFulfil, low_stock: lowStock } = overviewOf(shop);
  expect(await screen.findByText(formatMoney(today.revenue))).toBeInTheDocument();
  expect(screen.getByRole('link', { name: new RegExp(`To fulfil ?${toFulfil}`) })).toHaveAttribute(
    'href',
    '/orders?status=paid',
  );
  const low = screen.getByRole('region', { name: 'Low stock' });
  expect(within(low).getAllByRole('link')).toHaveLength(lowStock.length);
  const recent = screen.getByRole('region', { name: 'Recent orders' });
  expect(await within(recent).findByRole('link', { name: /10564/ })).toHaveAttribute(
    'href',
    '/orders/ord_001',
  );
});

it('says so when there is nothing yet', async () => {
  const shop = openShop();
  shop.orders = [];
  renderApp('/');
  expect(await screen.findByText('No orders yet')).toBeInTheDocument();
});
