import { type APIRequestContext, type Page } from '@playwright/test';
import { expect, test } from '../support';
import { bin, buy, signIn, signInLink } from './shop';

// Each project changes a product of its own: both run beside each other.
const products: Record<string, { title: string; path: string; price: string }> = {
  desktop: { title: 'Crown Summit Backpack', path: '/p/crown-summit-backpack', price: '39.90' },
  phone: { title: 'Strive Shoulder Pack', path: '/p/strive-shoulder-pack', price: '33.30' },
};

test('a link signs in once', async ({ page, browser, expectAccessible, keepScreenshot }, info) => {
  const link = signInLink(info);
  await page.goto(link);
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible();
  await expect(page.getByText('Orders today')).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-home');

  const stranger = await browser.newPage();
  await stranger.goto(link);
  await expect(stranger.getByText('This link has expired')).toBeVisible();
  await stranger.close();

  await page.reload();
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible();
  await page.getByRole('button', { name: /^Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in to the admin' })).toBeVisible();
});

test('nobody gets in without signing in', async ({ page, expectAccessible, keepScreenshot }) => {
  await page.goto('/admin/orders');
  await expect(page).toHaveURL(/\/admin\/login\?next=/);
  await page.getByLabel('E-mail').fill('owner@example.com');
  await page.getByRole('textbox', { name: 'Password' }).fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('wrong');
  await expectAccessible();
  await keepScreenshot('admin-login');
});

test('an order is found, looked at and sent', async ({ page, request, expectAccessible, keepScreenshot }, info) => {
  test.slow(); // many pages, each looked at by axe
  const order = await buy(request);
  await signIn(page, info);
  await page.goto('/admin/orders');
  await expect(page.getByRole('link', { name: new RegExp(String(order.number)) })).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-orders');

  await page.getByLabel('Order number or e-mail').fill(String(order.number));
  const rows = page.getByLabel('Orders', { exact: true }).getByRole('link');
  await expect(rows).toHaveCount(1);
  await rows.click();
  await expect(page.getByRole('heading', { level: 1, name: `Order ${order.number}` })).toBeVisible();
  await expect(page.getByText('ada@example.com').first()).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-order');

  await page.getByRole('button', { name: 'Mark fulfilled' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Tracking number').fill('TRACK-0815');
  await dialog.getByRole('button', { name: 'Mark fulfilled' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText('TRACK-0815').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Mark fulfilled' })).toBeHidden();

  // What the buyer sees: the order in the shop, and a mail about it.
  await page.goto(`/order/${order.id}?secret=${order.secret}`);
  await expect(page.getByText('TRACK-0815')).toBeVisible();
  await expect.poll(() => subjects(request), { timeout: 15_000 }).toContain(`Your order #${order.number} is on its way`);
});

test('a price changed by staff is what shoppers see and pay', async ({ page, expectAccessible, keepScreenshot }, info) => {
  test.slow(); // many pages, each looked at by axe
  const product = products[info.project.name]!;
  await signIn(page, info);
  await page.goto('/admin/products');
  await expect(page.getByLabel('Products', { exact: true }).getByRole('link').first()).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-products');

  await page.getByLabel('Search products').fill(product.title);
  const rows = page.getByLabel('Products', { exact: true }).getByRole('link');
  await expect(rows).toHaveCount(1);
  await rows.click();
  await expect(page.getByRole('heading', { level: 1, name: product.title })).toBeVisible();
  const price = page.getByLabel(/^Price of/);
  const before = await price.inputValue();
  await price.fill('-1');
  await expect(page.getByRole('button', { name: 'Save' })).toBeDisabled();
  await price.fill(product.price);
  await expectAccessible();
  await keepScreenshot('admin-product');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('region', { name: 'Unsaved changes' })).toBeHidden();
  expect(before).not.toBe(product.price);

  // A path of the shop, not of the administration.
  await expect(page.getByRole('link', { name: 'View in shop' })).toHaveAttribute('href', product.path);
  await expect(async () => {
    await page.goto(product.path);
    await expect(page.locator('[data-price]')).toContainText(`$${product.price}`, { timeout: 500 });
  }).toPass({ timeout: 10_000 });
  await page.goto(`/search?q=${encodeURIComponent(product.title)}`);
  await expect(cardOf(page, product.title)).toContainText(`$${product.price}`);
  await page.goto(product.path);
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await expect(page.getByRole('dialog', { name: 'Your cart' })).toContainText(`$${product.price}`);
});

test('stock is counted in, with a reason', async ({ page, expectAccessible }, info) => {
  const product = products[info.project.name]!;
  await signIn(page, info);
  await page.goto(`/admin/products?q=${encodeURIComponent(product.title)}`);
  await page.getByLabel('Products', { exact: true }).getByRole('link').click();
  await page.getByRole('button', { name: /^Adjust the stock of/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Change').fill('3');
  await expect(dialog.getByText(/On hand (\d+) → (\d+)/)).toBeVisible();
  await expectAccessible();
  await dialog.getByRole('button', { name: 'Adjust stock' }).click();
  await expect(page.getByText(/: \d+ available/)).toBeVisible();
});

test('a page that is not there says so', async ({ page, expectAccessible }, info) => {
  await signIn(page, info);
  await page.goto('/admin/nothing');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectAccessible();
  await page.goto('/admin/orders/ord_00000000000000000000000000');
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/not|no /i);
});

test('the program says who it is', async ({ request }) => {
  const answer = await request.get('/version');
  expect(await answer.json()).toEqual({ version: bin('version').trim().replace('shopd ', '') });
});

/** The subjects of the mails that the demo keeps. */
async function subjects(request: APIRequestContext): Promise<string> {
  return (await request.get('/dev/mail')).text();
}

function cardOf(page: Page, title: string) {
  return page.locator('article.card').filter({ hasText: title }).first();
}
