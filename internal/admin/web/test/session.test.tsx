import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { mockPassword } from '../mock/shop';
import { safeNext } from '../src/session/next';
import { renderApp } from './render';
import { openShop } from './server';

it('asks strangers to sign in and then shows what they came for', async () => {
  const shop = openShop();
  shop.signedIn = false;
  const { user, path } = renderApp('/orders?status=paid');
  await user.type(await screen.findByLabelText('E-mail'), 'ada@example.com');
  await user.type(screen.getByLabelText('Password'), 'wrong');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('E-mail or password is wrong.');

  await user.clear(screen.getByLabelText('Password'));
  await user.type(screen.getByLabelText('Password'), `${mockPassword}{Enter}`);
  expect(await screen.findByRole('heading', { name: 'Orders' })).toBeInTheDocument();
  expect(path()).toBe('/orders?status=paid');
});

it('explains a one-time link that has expired', async () => {
  openShop();
  renderApp('/login?error=link_expired');
  expect(await screen.findByText('This link has expired')).toBeInTheDocument();
});

it('goes to the login page when the session ends in between', async () => {
  const shop = openShop();
  const { user, path } = renderApp('/orders');
  await screen.findByRole('link', { name: '10564' });
  shop.signedIn = false;
  await user.click(screen.getByRole('button', { name: 'Cancelled' }));
  await screen.findByRole('heading', { name: 'Sign in to the admin' });
  expect(path()).toBe('/login?next=%2Forders%3Fstatus%3Dcancelled');
});

it('logs out', async () => {
  const shop = openShop();
  const { user, path } = renderApp('/products');
  await user.click(await screen.findByRole('button', { name: 'Account of Ada Moreau' }));
  // jsdom has no layout, so that the menu takes its button for scrolled away and hides.
  await user.click(await screen.findByRole('menuitem', { name: 'Log out', hidden: true }));
  await waitFor(() => {
    expect(path()).toBe('/login');
  });
  expect(shop.signedIn).toBe(false);
});

it.each([
  ['/orders?q=1', '/orders?q=1'],
  [null, '/'],
  ['https://evil.example', '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
])('after signing in follows %s to %s', (next, want) => {
  expect(safeNext(next)).toBe(want);
});
