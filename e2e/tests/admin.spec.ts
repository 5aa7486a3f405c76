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
  await expect(page.getByText('TRACK-0815').first()).toBeVisible();
  await expect.poll(() => subjects(request), { timeout: 15_000 }).toContain(`Your order #${order.number} is on its way`);
});

test('an order is sent in parts, given back and refunded', async ({ page, request, expectAccessible, keepScreenshot }, info) => {
  test.slow(); // many pages, each looked at by axe
  const order = await buy(request, 3);
  await signIn(page, info);
  await page.goto(`/admin/orders/${order.id}`);
  await expect(page.getByText(/3 items · before tax/)).toBeVisible();

  await page.getByRole('button', { name: 'Mark fulfilled' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: /^Pieces of/ }).fill('2');
  await dialog.getByLabel('Carrier').fill('UPS');
  await dialog.getByLabel('Tracking number').fill('1Z999AA10123456784');
  await expectAccessible();
  await keepScreenshot('admin-fulfil');
  await dialog.getByRole('button', { name: 'Send 2 items' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText('Partially fulfilled')).toBeVisible();
  await expect(page.getByRole('link', { name: 'UPS 1Z999AA10123456784' })).toHaveAttribute('href', /^https:\/\/www\.ups\.com\/.*1Z999AA10123456784$/);

  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Begin a return' }).click();
  await dialog.getByRole('textbox', { name: /^Pieces of/ }).fill('1');
  await dialog.getByLabel('Reason').selectOption('does_not_fit');
  await expectAccessible();
  await keepScreenshot('admin-return');
  await dialog.getByRole('button', { name: 'Accept the return' }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole('button', { name: 'Receive the goods' }).click();
  await expectAccessible();
  await keepScreenshot('admin-receive');
  await dialog.getByRole('button', { name: 'Receive and refund' }).click();
  await expect(page.getByText(/^The goods are received; \$/)).toBeVisible();
  await expect(page.getByText(/1 × .*, back in stock/)).toBeVisible();

  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Refund' }).click();
  await dialog.getByLabel('Amount in USD').fill('1.50');
  await dialog.getByLabel('Reason').fill('A scratch');
  await expectAccessible();
  await keepScreenshot('admin-refund');
  await dialog.getByRole('button', { name: /^Refund \D*1\.50$/ }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByText('A scratch')).toBeVisible();
  await expect(page.getByText('Net of refunds')).toBeVisible();

  // Documents follow by themselves, and open.
  const note = page.getByRole('link', { name: /^Credit note/ });
  await expect(note).toHaveCount(2);
  const pdf = await page.request.get((await note.first().getAttribute('href'))!);
  expect(pdf.headers()['content-type']).toBe('application/pdf');
  expect((await pdf.body()).subarray(0, 5).toString()).toBe('%PDF-');
  await expectAccessible();
  await keepScreenshot('admin-order-after');

  // What the buyer was told.
  const shown = await request.get(`/api/v1/store/orders/${order.id}`, { headers: { 'X-Order-Secret': order.secret } });
  const after = await shown.json();
  expect(after.status).toBe('partially_fulfilled');
  expect(after.returns[0].status).toBe('received');
  expect(after.refunds).toHaveLength(2);
});

test('a promotion is made, used and switched off', async ({ page, request, expectAccessible, keepScreenshot }, info) => {
  const code = `E2E-${info.project.name}-${Date.now()}`.toUpperCase();
  await signIn(page, info);
  await page.goto('/admin/promotions');
  await page.getByRole('link', { name: 'New promotion' }).click();
  await page.getByLabel('Title').fill('Half off for testers');
  await page.getByLabel('Percent off').fill('50');
  await page.getByRole('combobox', { name: 'Codes' }).fill(code.toLowerCase());
  await page.keyboard.press('Enter');
  await page.getByLabel('Uses in all').fill('1');
  await page.getByLabel('Uses by each customer').fill('1');
  await expectAccessible();
  await keepScreenshot('admin-promotion-new');
  await page.getByRole('button', { name: 'Create promotion' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Half off for testers' })).toBeVisible();
  await expect(page.getByText('0 of 1')).toBeVisible();

  const order = await buy(request, 1, code);
  expect(order.totals.discount.amount).toBeGreaterThan(0);
  await page.goto('/admin/promotions');
  await expect(page.getByText('1 of 1').first()).toBeVisible();
  await expect(page.getByText('Used up').first()).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-promotions');

  await page.getByLabel('Promotions', { exact: true }).getByRole('link').filter({ hasText: 'Half off' }).first().click();
  await page.getByLabel('Uses in all').fill('5');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('1 of 5')).toBeVisible();
  await page.getByRole('button', { name: 'Switch off' }).click();
  await expect(page.getByRole('button', { name: 'Switch on' })).toBeVisible();
  await expectAccessible();
  await keepScreenshot('admin-promotion');
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
