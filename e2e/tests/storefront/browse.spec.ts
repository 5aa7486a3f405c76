import { expect, test } from '../../support';
import { sweatshirt } from './shopper';

test('suggestions can be used with the keyboard alone', async ({ page, expectAccessible }) => {
  await page.goto('/');
  const field = page.getByRole('combobox', { name: 'Search the shop' });
  await field.click();
  await field.pressSequentially('backp');
  await expect(page.getByRole('option').first()).toBeVisible();
  await expect(field).toHaveAttribute('aria-expanded', 'true');
  await expectAccessible();
  await page.keyboard.press('ArrowDown');
  const marked = page.getByRole('option', { selected: true });
  await expect(marked).toHaveCount(1);
  await expect(field).toHaveAttribute('aria-activedescendant', (await marked.getAttribute('id')) ?? '');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('option')).toHaveCount(0);
  await field.pressSequentially('ack');
  await expect(page.getByRole('option').first()).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page).not.toHaveURL('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
});

test('filters narrow the list and can be taken away', async ({ page, isMobile }) => {
  await page.goto('/search?q=jacket');
  if (isMobile) await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await page.locator('#filters').getByRole('checkbox', { name: /^Blue/ }).check();
  if (isMobile) await page.getByRole('button', { name: 'Show products' }).click();
  await expect(page).toHaveURL(/facet\.Colou?r=Blue/);
  const chip = page.getByRole('link', { name: /Remove Colou?r: Blue/ });
  await chip.click();
  await expect(page).not.toHaveURL(/facet/);
});

test('more products come below those that are there', async ({ page }) => {
  await page.goto('/search?sort=title&in_stock=1');
  const cards = page.locator('[data-grid] > li');
  await expect(cards).toHaveCount(24);
  await page.getByRole('link', { name: 'Show more' }).click();
  await expect(cards).toHaveCount(48);
  const links = await cards.getByRole('link').evaluateAll((list) => list.map((a) => a.getAttribute('href')));
  expect(new Set(links).size).toBe(48);
});

test('the picture follows the colour', async ({ page }) => {
  await page.goto(sweatshirt);
  const strip = page.locator('.gallery__strip');
  for (const colour of ['Red', 'Blue']) {
    await page.getByRole('radio', { name: colour }).check();
    await page.getByRole('radio', { name: 'M', exact: true }).check();
    await expect(page.locator('[data-sku]')).toContainText(colour);
    const picture = strip.getByAltText(new RegExp(colour, 'i')).first();
    await expect.poll(() => picture.evaluate((img) => {
      const frame = img.closest('.gallery__strip')!.getBoundingClientRect();
      return Math.abs(img.getBoundingClientRect().left - frame.left) < frame.width / 2;
    })).toBe(true);
    await expect(page.locator('.gallery__thumbs [aria-current]')).toHaveCount(1);
  }
});

test('the keyboard gets past the head of the page', async ({ page }) => {
  await page.goto('/');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/#main$/);
});

test('the menu of a telephone opens, closes and gives the focus back', async ({ page, isMobile, expectAccessible, keepScreenshot }) => {
  await page.goto('/');
  const button = page.getByRole('button', { name: 'Menu', exact: true });
  if (!isMobile) {
    await expect(button).toBeHidden();
    await expect(page.getByRole('navigation', { name: 'Departments' })).toBeVisible();
    return;
  }
  await button.click();
  await expect(page.getByRole('navigation', { name: 'Departments' })).toBeVisible();
  await expectAccessible();
  await keepScreenshot('menu');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('navigation', { name: 'Departments' })).toBeHidden();
  await expect(button).toBeFocused();
});
