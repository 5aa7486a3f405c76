import { expect, test } from '../../support';
import { bag, giveAddress, pay } from './shopper';

test('an account keeps addresses and orders', async ({ page, expectAccessible, keepScreenshot }, info) => {
  const email = `e2e-${info.project.name}-${Date.now()}@example.com`;
  await page.goto('/account');
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.getByLabel('Name').fill('Ada Lovelace');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill('seven otters juggle');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Hello, Ada Lovelace' })).toBeVisible();
  await expectAccessible();
  await keepScreenshot('account-empty');

  await page.goto('/account/addresses');
  await page.getByLabel('Full name').fill('Ada Lovelace');
  await page.getByLabel('Street and number').fill('12 Analytical Street');
  await page.getByLabel('Postal code').fill('10115');
  await page.getByLabel('Town or city').fill('Berlin');
  await page.getByLabel('Country').selectOption('DE');
  await expect(page.getByLabel('State or province')).toBeHidden();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Address saved.')).toBeVisible();
  await expectAccessible();
  await keepScreenshot('addresses');

  await page.goto(bag);
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await page.getByRole('dialog').getByRole('link', { name: 'Checkout' }).click();
  await expect(page.getByLabel('E-mail address')).toHaveValue(email);
  await expect(page.getByLabel('Street and number')).toHaveValue('12 Analytical Street');
  await giveAddress(page);
  await page.getByRole('button', { name: 'On to payment' }).click();
  await pay(page, 'test_ok');
  await expect(page.getByRole('heading', { level: 1, name: 'Thank you, it is yours.' })).toBeVisible();

  await page.goto('/account');
  await page.getByRole('link', { name: /^Order / }).click();
  await expect(page.getByText('Joust Duffle Bag')).toBeVisible();
  await expectAccessible();
  await keepScreenshot('account-order');

  await page.goto('/account');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.goto('/account');
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in' })).toBeVisible();
});
