import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from './render';
import { openShop } from './server';

async function open(id: string) {
  const shop = openShop();
  const product = shop.products.find((p) => p.id === id);
  if (!product) throw new Error(`no product ${id}`);
  const app = renderApp(`/products/${id}`);
  const title = await screen.findByLabelText('Title');
  const retitle = async (text: string) => {
    await app.user.clear(title);
    await app.user.type(title, text);
  };
  const save = () => app.user.click(screen.getByRole('button', { name: 'Save' }));
  return { ...app, shop, product, retitle, save };
}

it('saves what was changed and nothing else', async () => {
  const { user, shop, product, retitle, save } = await open('prod_008');
  expect(screen.queryByRole('button', { name: 'Save' })).not.toBeInTheDocument();
  await retitle('Warm hoodie');
  await user.selectOptions(screen.getByRole('combobox', { name: 'Status' }), 'draft');
  const price = screen.getByLabelText('Price of M');
  await user.clear(price);
  await user.type(price, '59.9');
  await save();
  expect(await screen.findByText('Saved')).toBeInTheDocument();

  const patch = shop.calls.find((r) => r.method === 'PATCH');
  expect(patch?.headers.get('If-Match')).toBe('"3"');
  expect(await patch?.json()).toEqual({ title: 'Warm hoodie', status: 'draft' });
  const puts = shop.calls.filter((r) => r.method === 'PUT');
  expect(puts).toHaveLength(1);
  expect(await puts[0]?.json()).toEqual({
    price: { amount: 5990, currency: 'USD' },
    compare_at_price: { amount: 7560, currency: 'USD' },
  });
  expect(product.title).toBe('Warm hoodie');
  await waitFor(() => {
    expect(screen.queryByRole('region', { name: 'Unsaved changes' })).not.toBeInTheDocument();
  });
  expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('Warm hoodie');
});

it('does not save what is wrong', async () => {
  const { user } = await open('prod_008');
  const price = screen.getByLabelText('Price of M');
  await user.clear(price);
  await user.type(price, '12.345');
  expect(screen.getByText('Not an amount in USD')).toBeInTheDocument();
  expect(screen.getByRole('button', { name: 'Save' })).toBeDisabled();
  await user.click(screen.getByRole('button', { name: 'Discard' }));
  expect(price).toHaveValue('63.00');
});

it('tells a conflict, and keeps my changes on top of theirs', async () => {
  const { user, product, retitle, save } = await open('prod_008');
  await retitle('Mine');
  product.version++;
  product.description = 'Theirs';
  await save();
  expect(await screen.findByText('Somebody else changed this product')).toBeInTheDocument();
  expect(product.title).toBe('Bruno Compete Hoodie');

  await user.click(screen.getByRole('button', { name: 'Keep my changes on top' }));
  await waitFor(() => {
    expect(screen.getByLabelText('Description')).toHaveValue('Theirs');
  });
  expect(screen.getByLabelText('Title')).toHaveValue('Mine');
  await save();
  await waitFor(() => {
    expect(product).toMatchObject({ title: 'Mine', description: 'Theirs' });
  });
});

it('tells a conflict, and shows theirs instead', async () => {
  const { user, product, retitle, save } = await open('prod_008');
  await retitle('Mine');
  product.version++;
  product.title = 'Theirs';
  await save();
  await user.click(await screen.findByRole('button', { name: 'Show theirs, drop mine' }));
  await waitFor(() => {
    expect(screen.getByLabelText('Title')).toHaveValue('Theirs');
  });
  expect(screen.queryByRole('region', { name: 'Unsaved changes' })).not.toBeInTheDocument();
});

it('writes one price into all variants', async () => {
  const { user, product, save } = await open('prod_008');
  await user.click(screen.getByRole('button', { name: 'Set all prices' }));
  await user.type(await screen.findByLabelText('Price in USD'), '49{Enter}');
  await save();
  await waitFor(() => {
    expect(product.variants.map((v) => v.price?.amount)).toEqual([4900, 4900, 4900, 4900, 4900]);
  });
});

it('adjusts stock with a reason', async () => {
  const { user, shop, product } = await open('prod_008');
  const variant = product.variants[2];
  const before = variant?.on_hand ?? 0;
  await user.click(screen.getByRole('button', { name: 'Adjust the stock of M' }));
  const dialog = await screen.findByRole('dialog', { name: 'Adjust stock of M' });
  await user.type(within(dialog).getByLabelText('Change'), '-2');
  await user.type(within(dialog).getByLabelText('Note'), 'Moths');
  await user.click(within(dialog).getByRole('button', { name: 'Adjust stock' }));
  expect(await screen.findByText(`MH03-M: ${before - 5} available`)).toBeInTheDocument();
  expect(variant?.on_hand).toBe(before - 2);
  const sent = shop.calls.find((r) => r.url.endsWith('/adjustments'));
  expect(sent?.headers.get('Idempotency-Key')).toMatch(/^[0-9a-f]{32}$/);
  expect(await sent?.json()).toEqual({ quantity: -2, reason: 'Received: Moths' });
});

it('shows why stock was not adjusted', async () => {
  const { user } = await open('prod_001');
  await user.click(screen.getByRole('button', { name: 'Adjust the stock of 24-MB01' }));
  const dialog = await screen.findByRole('dialog');
  await user.type(within(dialog).getByLabelText('Change'), '-1');
  await user.click(within(dialog).getByRole('button', { name: 'Adjust stock' }));
  expect(await within(dialog).findByRole('alert')).toHaveTextContent('Only 0 are available.');
});

it('asks before unsaved changes are left', async () => {
  const { user, path, retitle } = await open('prod_008');
  await retitle('Mine');
  await user.click(screen.getByRole('link', { name: 'Orders' }));
  const dialog = await screen.findByRole('dialog', { name: 'Leave without saving?' });
  await user.click(within(dialog).getByRole('button', { name: 'Stay' }));
  expect(path()).toBe('/products/prod_008');
  await user.click(screen.getByRole('link', { name: 'Orders' }));
  await user.click(await screen.findByRole('button', { name: 'Leave' }));
  await waitFor(() => {
    expect(path()).toBe('/orders');
  });
});
