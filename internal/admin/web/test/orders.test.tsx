import { screen, waitFor, within } from '@testing-library/react';
import { http } from 'msw';
import { expect, it } from 'vitest';
import { problem } from '../mock/handlers';
import { renderApp } from './render';
import { server, openShop } from './server';

it('lists orders page by page', async () => {
  openShop();
  const { user } = renderApp('/orders');
  const table = await screen.findByRole('table', { name: 'Orders' });
  expect(within(table).getAllByRole('row')).toHaveLength(51);
  await user.click(screen.getByRole('button', { name: 'Load more' }));
  await waitFor(() => {
    expect(within(table).getAllByRole('row')).toHaveLength(65);
  });
  expect(screen.queryByRole('button', { name: 'Load more' })).not.toBeInTheDocument();
});

it('keeps the filter in the address', async () => {
  openShop();
  const { user, path } = renderApp('/orders');
  await user.click(await screen.findByRole('button', { name: 'Cancelled' }));
  await user.type(screen.getByRole('searchbox'), 'sofia.rossi@example.com');
  await waitFor(() => {
    expect(path()).toBe('/orders?q=sofia.rossi%40example.com&status=cancelled');
  });
  expect(await screen.findByRole('link', { name: '10558' })).toBeInTheDocument();
  expect(screen.queryByRole('link', { name: '10564' })).not.toBeInTheDocument();
});

it('says when nothing matches, and the way back', async () => {
  openShop();
  const { user } = renderApp('/orders?q=nobody');
  await user.click(await screen.findByRole('link', { name: 'Show all orders' }));
  expect(await screen.findByRole('link', { name: '10564' })).toBeInTheDocument();
  expect(screen.getByRole('searchbox')).toHaveValue('');
});

it('shows a failure with its request id and tries again', async () => {
  openShop();
  server.use(
    http.get('*/orders', () => problem(403, 'forbidden', 'You may not see orders.'), { once: true }),
  );
  const { user } = renderApp('/orders');
  const alert = await screen.findByRole('alert');
  expect(alert).toHaveTextContent('You may not see orders.');
  expect(alert).toHaveTextContent('req_mock');
  await user.click(within(alert).getByRole('button', { name: 'Try again' }));
  expect(await screen.findByRole('link', { name: '10564' })).toBeInTheDocument();
});

it('cancels an order after asking', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_001');
  await user.click(await screen.findByRole('button', { name: 'Cancel order' }));
  const dialog = await screen.findByRole('dialog', { name: 'Cancel order 10564?' });
  await user.type(within(dialog).getByLabelText(/Reason/), 'Ordered twice');
  await user.click(within(dialog).getByRole('button', { name: 'Cancel the order' }));
  expect(await screen.findByText('Order 10564 is cancelled')).toBeInTheDocument();
  expect(await screen.findByText('Ordered twice')).toBeInTheDocument();
  expect(shop.orders[0]?.status).toBe('cancelled');
  expect(screen.queryByRole('button', { name: 'Cancel order' })).not.toBeInTheDocument();
});

it('cancels once when the first answer got lost', async () => {
  const shop = openShop();
  let lost = false;
  server.use(
    http.post('*/orders/:id/cancel', ({ request }) => {
      if (lost) return;
      lost = true;
      shop.answers.set(request.headers.get('Idempotency-Key') ?? '', shop.orders[0]);
      return problem(503, 'unavailable', 'Try again.');
    }),
  );
  const { user } = renderApp('/orders/ord_001');
  await user.click(await screen.findByRole('button', { name: 'Cancel order' }));
  const dialog = await screen.findByRole('dialog');
  await user.type(within(dialog).getByLabelText(/Reason/), 'Twice');
  await user.click(within(dialog).getByRole('button', { name: 'Cancel the order' }));
  expect(await within(dialog).findByRole('alert')).toHaveTextContent('Try again.');
  await user.click(within(dialog).getByRole('button', { name: 'Cancel the order' }));
  expect(await screen.findByText('Order 10564 is cancelled')).toBeInTheDocument();
  const keys = shop.calls
    .filter((r) => r.url.endsWith('/cancel'))
    .map((r) => r.headers.get('Idempotency-Key'));
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
});

it('captures and fulfils what may be', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_002');
  await user.click(await screen.findByRole('button', { name: 'Capture payment' }));
  const capture = await screen.findByRole('dialog', { name: 'Capture the payment?' });
  await user.click(within(capture).getByRole('button', { name: 'Capture' }));
  expect(await screen.findByText('The payment is captured')).toBeInTheDocument();

  await user.click(await screen.findByRole('button', { name: 'Mark fulfilled' }));
  const fulfil = await screen.findByRole('dialog', { name: 'Mark order 10563 fulfilled' });
  await user.type(within(fulfil).getByLabelText('Tracking number'), 'Z-42');
  await user.click(within(fulfil).getByRole('button', { name: 'Mark fulfilled' }));
  expect(await screen.findByText('Order 10563 is fulfilled')).toBeInTheDocument();
  const sent = shop.calls.find((r) => r.url.endsWith('/fulfilments'));
  expect(await sent?.json()).toEqual({ tracking: 'Z-42' });
});

it('says that an order does not exist', async () => {
  openShop();
  renderApp('/orders/ord_none');
  expect(await screen.findByRole('heading', { name: 'There is no such order' })).toBeInTheDocument();
});
