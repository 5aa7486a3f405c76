import { cleanup, screen, waitFor, within } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { http } from 'msw';
import { expect, it } from 'vitest';
import { problem } from '../mock/handlers';
import { renderApp } from './render';
import { server, openShop } from './server';

/** Picks something to do with an order from the menu. */
async function choose(user: UserEvent, action: string) {
  await user.click(await screen.findByRole('button', { name: 'More' }));
  // jsdom has no layout, so that the menu takes its button for scrolled away and hides.
  await user.click(await screen.findByRole('menuitem', { name: action, hidden: true }));
}

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
  await choose(user, 'Cancel order');
  const dialog = await screen.findByRole('dialog', { name: 'Cancel order 10564?' });
  await user.type(within(dialog).getByLabelText(/Reason/), 'Ordered twice');
  await user.click(within(dialog).getByRole('button', { name: 'Cancel the order' }));
  expect(await screen.findByText('Order 10564 is cancelled')).toBeInTheDocument();
  expect(await screen.findByText('Ordered twice')).toBeInTheDocument();
  expect(shop.orders[0]?.status).toBe('cancelled');
  await user.click(screen.getByRole('button', { name: 'More' }));
  expect(await screen.findByRole('menuitem', { name: 'Add a note', hidden: true })).toBeInTheDocument();
  expect(screen.queryByRole('menuitem', { name: 'Cancel order', hidden: true })).not.toBeInTheDocument();
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
  await choose(user, 'Cancel order');
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
  expect(await sent?.json()).toEqual({
    lines: [
      { line_id: 'line_1_0', quantity: 2 },
      { line_id: 'line_1_1', quantity: 3 },
    ],
    tracking: 'Z-42',
  });
});

it('captures a part', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_002');
  await user.click(await screen.findByRole('button', { name: 'Capture payment' }));
  const dialog = await screen.findByRole('dialog', { name: 'Capture the payment?' });
  const amount = within(dialog).getByLabelText('Amount in USD');
  await user.clear(amount);
  expect(within(dialog).getByRole('button', { name: 'Capture' })).toBeDisabled();
  await user.type(amount, '1.50');
  await user.click(within(dialog).getByRole('button', { name: 'Capture' }));
  expect(await screen.findByText('The payment is captured')).toBeInTheDocument();
  const sent = shop.calls.find((r) => r.url.endsWith('/capture'));
  expect(await sent?.json()).toEqual({ amount: { amount: 150, currency: 'USD' } });
});

it('sends a part, and the rest later', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_005');
  await user.click(await screen.findByRole('button', { name: 'Mark fulfilled' }));
  const dialog = await screen.findByRole('dialog');
  const first = (await within(dialog).findAllByRole('textbox', { name: /^Pieces of/ }))[0] as HTMLElement;
  await user.clear(first);
  await user.type(first, '1');
  await user.type(within(dialog).getByLabelText('Carrier'), 'UPS');
  await user.click(within(dialog).getByRole('button', { name: /^Send \d items$/ }));
  expect(await screen.findByText(/of order 10560 marked as sent/)).toBeInTheDocument();
  expect(shop.orders[4]?.status).toBe('partially_fulfilled');
  expect(await screen.findByRole('heading', { name: 'Parcels' })).toBeInTheDocument();
  expect(screen.getByRole('button', { name: 'Mark fulfilled' })).toBeInTheDocument();
});

it('refunds a part once, also when the answer got lost', async () => {
  const shop = openShop();
  let lost = false;
  server.use(
    http.post('*/orders/:id/refunds', () => {
      if (lost) return;
      lost = true;
      return Response.error();
    }),
  );
  const { user } = renderApp('/orders/ord_001');
  await choose(user, 'Refund');
  const dialog = await screen.findByRole('dialog', { name: 'Refund order 10564' });
  const amount = within(dialog).getByLabelText('Amount in USD');
  await user.type(amount, '99999');
  expect(
    within(dialog).getByText(/^At most .*/, { selector: '.mantine-TextInput-error' }),
  ).toBeInTheDocument();
  expect(within(dialog).getByRole('button', { name: 'Refund' })).toBeDisabled();
  await user.clear(amount);
  await user.type(amount, '5');
  await user.type(within(dialog).getByLabelText('Reason'), 'A dent');
  await user.click(within(dialog).getByRole('button', { name: 'Refund $5.00' }));
  expect(await within(dialog).findByRole('alert')).toHaveTextContent('did not answer');
  await user.click(within(dialog).getByRole('button', { name: 'Refund $5.00' }));
  expect(await screen.findByText('$5.00 go back to the customer')).toBeInTheDocument();
  const calls = shop.calls.filter((r) => r.url.endsWith('/refunds'));
  const keys = calls.map((r) => r.headers.get('Idempotency-Key'));
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  expect(await calls[1]?.json()).toEqual({ amount: { amount: 500, currency: 'USD' }, reason: 'A dent' });
  expect(shop.orders[0]?.refunds).toHaveLength(1);
  expect(await screen.findByText('Net of refunds')).toBeInTheDocument();
});

it('takes goods back, one of them not to be sold again', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_004');
  await choose(user, 'Begin a return');
  const begin = await screen.findByRole('dialog', { name: 'Return for order 10561' });
  await user.selectOptions(within(begin).getByLabelText('Reason'), 'does_not_fit');
  await user.click(within(begin).getByRole('button', { name: 'Accept the return' }));
  await user.click(await screen.findByRole('button', { name: 'Receive the goods' }));
  const receive = await screen.findByRole('dialog', { name: 'Receive the goods' });
  await user.click(within(receive).getByRole('checkbox', { name: /back into stock$/ }));
  await user.type(within(receive).getByLabelText('Keep for wear, in USD'), '1');
  await user.click(within(receive).getByRole('button', { name: 'Receive and refund' }));
  expect(await screen.findByText(/^The goods are received; .* go back to the customer$/)).toBeInTheDocument();
  expect(screen.getByText(/not restocked$/)).toBeInTheDocument();
  const sent = shop.calls.find((r) => r.url.endsWith('/receive'));
  expect(await sent?.json()).toEqual({
    lines: [{ line_id: 'line_3_0', quantity: 1, restock: false }],
    refund_shipping: false,
    money_only: false,
    deduction: { amount: 100, currency: 'USD' },
  });
});

it('takes pieces off before they are sent', async () => {
  const shop = openShop();
  const { user } = renderApp('/orders/ord_001');
  await choose(user, 'Edit items');
  const dialog = await screen.findByRole('dialog', { name: 'Edit order 10564' });
  expect(within(dialog).getByRole('button', { name: 'Change the order' })).toBeDisabled();
  const pieces = within(dialog).getByRole('textbox', { name: /^Pieces of/ });
  await user.clear(pieces);
  await user.type(pieces, '0');
  await user.click(within(dialog).getByRole('button', { name: 'Change the order' }));
  expect(await screen.findByText(/^Order 10564 is changed; .* go back$/)).toBeInTheDocument();
  const sent = shop.calls.find((r) => r.url.endsWith('/edits'));
  expect(await sent?.json()).toEqual({ lines: [{ line_id: 'line_0_0', quantity: 0 }], add: [], lost: false });
  expect(screen.getByText('1 taken off')).toBeInTheDocument();
});

it('says whether the sums of the lines contain tax', async () => {
  const shop = openShop();
  renderApp('/orders/ord_001');
  expect(await screen.findByText(/before tax$/)).toBeInTheDocument();
  cleanup();
  const totals = shop.orders[0]?.totals;
  if (!totals) throw new Error('no order');
  totals.tax_included = totals.tax;
  totals.tax = { ...totals.tax, amount: 0 };
  renderApp('/orders/ord_001');
  expect(await screen.findByText(/tax included$/)).toBeInTheDocument();
});

it('links invoices as PDF', async () => {
  openShop();
  renderApp('/orders/ord_001');
  expect(await screen.findByRole('link', { name: 'Invoice INV-2026-000000' })).toHaveAttribute(
    'href',
    '/api/v1/admin/orders/ord_001/documents/doc_0',
  );
});

it('says that an order does not exist', async () => {
  openShop();
  renderApp('/orders/ord_none');
  expect(await screen.findByRole('heading', { name: 'There is no such order' })).toBeInTheDocument();
});
