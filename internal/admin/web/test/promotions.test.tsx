import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from './render';
import { openShop } from './server';

it('lists promotions with their codes and how often they were used', async () => {
  openShop();
  renderApp('/promotions');
  const row = (await screen.findByRole('link', { name: 'Spring sale' })).closest('tr') as HTMLElement;
  expect(within(row).getByText('10 % off')).toBeInTheDocument();
  expect(within(row).getByText('SPRING10')).toBeInTheDocument();
  expect(within(row).getByText('132 of 500')).toBeInTheDocument();
  expect(within(row).getByText('Active')).toBeInTheDocument();
  expect(screen.getByText('Scheduled')).toBeInTheDocument();
  expect(screen.getByText('Off')).toBeInTheDocument();
});

it('makes a promotion with a code and limits', async () => {
  const shop = openShop();
  const { user, path } = renderApp('/promotions/new');
  await user.click(await screen.findByRole('button', { name: 'Create promotion' }));
  expect(screen.getByText('Shoppers see the title; give it one')).toBeInTheDocument();
  await user.type(screen.getByLabelText('Title'), 'Welcome');
  await user.selectOptions(screen.getByLabelText('Kind'), 'fixed_amount');
  await user.type(await screen.findByLabelText('Amount in USD'), '5');
  await user.type(screen.getByRole('combobox', { name: 'Codes' }), 'hello 5{Enter}welcome{Enter}');
  await user.type(screen.getByLabelText('Uses in all'), '100');
  await user.type(screen.getByLabelText('Uses by each customer'), '1');
  await user.click(screen.getByRole('button', { name: 'Create promotion' }));
  expect(await screen.findByText('The promotion is made')).toBeInTheDocument();
  expect(path()).toBe('/promotions/promo_new');
  const post = shop.calls.find((r) => r.method === 'POST' && r.url.endsWith('/promotions'));
  expect(await post?.json()).toEqual({
    title: 'Welcome',
    kind: 'fixed_amount',
    active: true,
    codes: ['HELLO5', 'WELCOME'],
    amounts: [{ amount: 500, currency: 'USD' }],
    per: 'order',
    include: {},
    exclude: {},
    conditions: {},
    stacking: 'combinable',
    priority: 0,
    use_limit: 100,
    per_customer_limit: 1,
  });
});

it('says that a code is taken, and keeps what was typed', async () => {
  openShop();
  const { user } = renderApp('/promotions/new');
  await user.type(await screen.findByLabelText('Title'), 'Again');
  await user.type(screen.getByLabelText('Percent off'), '12.5');
  await user.type(screen.getByRole('combobox', { name: 'Codes' }), 'spring10{Enter}');
  await user.click(screen.getByRole('button', { name: 'Create promotion' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('Another promotion has this code.');
  expect(screen.getByLabelText('Title')).toHaveValue('Again');
});

it('changes a limit and leaves what the form does not show', async () => {
  const shop = openShop();
  const { user } = renderApp('/promotions/promo_1');
  const limit = await screen.findByLabelText('Uses in all');
  expect(screen.getByText(/limited to certain customers/)).toBeInTheDocument();
  await user.clear(limit);
  await user.type(limit, '200');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved')).toBeInTheDocument();
  const put = shop.calls.find((r) => r.method === 'PUT');
  expect(put?.headers.get('If-Match')).toBe('"1"');
  expect(shop.promotions[0]).toMatchObject({
    use_limit: 200,
    codes: ['SPRING10'],
    percent: 10,
    conditions: { minimum_subtotal: [{ amount: 5000, currency: 'USD' }], customer_groups: ['friends'] },
  });
});

it('switches a promotion off and on', async () => {
  const shop = openShop();
  const { user } = renderApp('/promotions/promo_1');
  await user.click(await screen.findByRole('button', { name: 'Switch off' }));
  await user.click(await screen.findByRole('button', { name: 'Switch on' }));
  expect(await screen.findByRole('button', { name: 'Switch off' })).toBeInTheDocument();
  const sent = await Promise.all(shop.calls.filter((r) => r.method === 'PUT').map((r) => r.json()));
  expect(sent.map((body) => (body as { active: boolean }).active)).toEqual([false, true]);
  expect(sent[0]).not.toHaveProperty('version');
});

it('tells that somebody else changed it', async () => {
  const shop = openShop();
  const { user } = renderApp('/promotions/promo_1');
  const title = await screen.findByLabelText('Title');
  await user.type(title, '!');
  const promotion = shop.promotions[0];
  if (promotion) shop.promotions[0] = { ...promotion, title: 'Theirs', version: 2 };
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Somebody else changed this promotion')).toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Show theirs, drop mine' }));
  expect(await screen.findByDisplayValue('Theirs')).toBeInTheDocument();
});
