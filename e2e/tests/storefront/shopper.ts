import { expect, type Page } from '@playwright/test';

/** What the sample shop sells, by what it takes to buy it. */
export const sweatshirt = '/p/ajax-full-zip-sweatshirt'; // a colour and a size
export const bag = '/p/joust-duffle-bag'; // one variant, with reviews
export const camera = '/p/instant-camera'; // a photograph that fills its frame

/** Fills the address section of the checkout and goes on. */
export async function giveAddress(page: Page) {
  await page.getByLabel('E-mail address').fill('ada@example.com');
  await page.getByLabel('Full name').fill('Ada Lovelace');
  await page.getByLabel('Street and number').fill('12 Analytical Street');
  await page.getByLabel('Postal code').fill('94601');
  await page.getByLabel('Town or city').fill('Oakland');
  await page.getByLabel('Country').selectOption('US');
  await page.getByLabel('State or province').selectOption('US-CA');
  await page.getByRole('button', { name: 'On to delivery' }).click();
  await expect(page.getByRole('heading', { name: 'How should it come?' })).toBeVisible();
}

/** Marks one of the test cards, named by its method, and presses the button that orders. */
export async function pay(page: Page, method: string) {
  await page.locator(`input[name=payment][value="test/${method}"]`).check();
  await page.getByRole('button', { name: /^Pay / }).click();
}

/** Fails when the page can be scrolled sideways. */
export async function expectNoSidewaysScroll(page: Page) {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(beyond, `width of ${page.url()} beyond the window`).toBeLessThanOrEqual(0);
}
