import { expect, test } from '../../support';
import { bag, expectNoSidewaysScroll, giveAddress, pay, sweatshirt } from './shopper';

test('from the shelf to the paid order, and cancelled again', async ({ page, expectAccessible, keepScreenshot }) => {
  await page.goto(sweatshirt);
  await page.getByRole('radio', { name: 'L', exact: true }).check();
  await page.getByRole('button', { name: 'One more' }).click();
  await page.getByRole('button', { name: 'Add to cart' }).click();
  const drawer = page.getByRole('dialog', { name: 'Your cart' });
  await expect(drawer).toBeVisible();
  await expect(page.locator('#live')).toHaveText('Added to your cart. 2 in it.');
  await expectAccessible();
  await keepScreenshot('drawer');
  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(page.locator('[data-cart-count]')).toHaveText('2');

  await page.goto('/cart');
  await page.getByRole('button', { name: 'One less' }).click();
  await expect(page.getByText('Cart updated.')).toBeVisible();
  await expect(page.locator('[data-cart-count]')).toHaveText('1');
  await expectAccessible();
  await expectNoSidewaysScroll(page);
  await keepScreenshot('cart');

  await page.getByRole('link', { name: 'Checkout' }).click();
  await page.getByRole('button', { name: 'On to delivery' }).click();
  await expect(page.getByRole('alert')).toBeFocused();
  await expectAccessible();
  await keepScreenshot('checkout-errors');
  await giveAddress(page);
  await expectAccessible();
  await keepScreenshot('checkout-delivery');
  await page.getByRole('button', { name: 'On to payment' }).click();
  await expectAccessible();
  await expectNoSidewaysScroll(page);
  await keepScreenshot('checkout-payment');

  await pay(page, 'test_declined');
  await expect(page.getByRole('alert')).toContainText('declined');
  await expect(page.getByRole('alert')).toBeFocused();
  await expectAccessible();
  await keepScreenshot('declined');

  await pay(page, 'test_requires_action');
  await expect(page.getByRole('heading', { level: 1, name: 'Is this you?' })).toBeVisible();
  await expectAccessible();
  await keepScreenshot('bank');
  await page.getByRole('button', { name: 'Approve the payment' }).click();

  await expect(page.getByRole('heading', { level: 1, name: 'Thank you, it is yours.' })).toBeVisible();
  await expect(page).toHaveURL(/\/order\/ord_[0-9a-z]+$/);
  await expect(page.locator('[data-cart-count]')).toHaveText('0');
  await expectAccessible();
  await expectNoSidewaysScroll(page);
  await keepScreenshot('order');

  await page.getByText('Cancel this order').click();
  await page.getByRole('button', { name: 'Yes, cancel the order' }).click();
  await expect(page.getByText('Your order is cancelled.')).toBeVisible();
  await expectAccessible();
});

for (const [way, agree] of [['stripe/checkout', 'Pay'], ['paypal/', 'Agree and pay']]) {
  test(`paid on the page of ${way.split('/')[0]}`, async ({ page, baseURL }) => {
    await page.goto(bag);
    await page.getByRole('button', { name: 'Add to cart' }).click();
    await page.getByRole('dialog').getByRole('link', { name: 'Checkout' }).click();
    await giveAddress(page);
    await page.getByRole('button', { name: 'On to payment' }).click();
    await page.locator(`input[name=payment][value="${way}"]`).check();
    await page.getByRole('button', { name: /^Pay / }).click();
    // The page of the gateway is another origin; the policy of the checkout lets the form lead there.
    const go = page.getByRole('button', { name: agree, exact: true });
    await expect(go).toBeVisible();
    expect(new URL(page.url()).origin).not.toBe(new URL(baseURL!).origin);
    await go.click();
    await expect(page).toHaveURL(/\/order\/ord_[0-9a-z]+$/);
    // Shopper and webhook arrive at about the same time; whoever is first, the order is paid once.
    await expect(page.getByRole('heading', { level: 1, name: 'Thank you, it is yours.' })).toBeVisible();
  });
}

test('a payment without an answer is waited for, not repeated', async ({ page, expectAccessible, keepScreenshot }) => {
  await page.goto(bag);
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await page.getByRole('dialog').getByRole('link', { name: 'Checkout' }).click();
  await giveAddress(page);
  await page.getByRole('button', { name: 'On to payment' }).click();
  await pay(page, 'test_timeout');
  await expect(page).toHaveURL(/\/order\//);
  // The shop asks the bank again by itself; either it knows by now, or it says that it does not.
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/We are checking with the bank|Thank you, it is yours\./);
  await expectAccessible();
  await keepScreenshot('payment-unknown');
});

test.describe('without scripts', () => {
  test.use({ javaScriptEnabled: false, contextOptions: { reducedMotion: 'reduce' } });

  test('everything up to the paid order works', async ({ page, keepScreenshot }) => {
    await page.goto('/');
    await page.getByRole('searchbox', { name: 'Search the shop' }).fill('ajax sweatshirt');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /Ajax Full-Zip Sweatshirt/ }).first().click();
    await page.getByRole('radio', { name: 'Blue' }).check();
    await page.getByRole('radio', { name: 'S', exact: true }).check();
    await page.getByRole('button', { name: 'Add to cart' }).click();
    await expect(page.getByText('Added to your cart.')).toBeVisible();
    await page.getByLabel('Quantity of Ajax Full-Zip Sweatshirt').fill('2');
    await page.getByRole('button', { name: 'Update' }).click();
    await expect(page.locator('[data-cart-count]')).toHaveText('2');
    await keepScreenshot('no-script-cart');
    await page.getByRole('link', { name: 'Checkout' }).click();
    await giveAddress(page);
    await page.getByRole('button', { name: 'On to payment' }).click();
    await pay(page, 'test_ok');
    await expect(page.getByRole('heading', { level: 1, name: 'Thank you, it is yours.' })).toBeVisible();
    await keepScreenshot('no-script-order');
  });
});
