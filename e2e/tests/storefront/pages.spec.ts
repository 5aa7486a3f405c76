import { expect, test } from '../../support';
import { bag, camera, expectNoSidewaysScroll, sweatshirt } from './shopper';

const pages = {
  home: '/',
  department: '/', // reached from there, by its name
  search: '/search?q=jacket',
  'search-typo': '/search?q=jaket',
  'search-nothing': '/search?q=zzzqqq',
  'search-empty': '/search',
  'product-options': sweatshirt,
  'product-reviews': bag,
  'product-photo': camera,
  'cart-empty': '/cart',
  login: '/account/login',
  register: '/account/register',
  reset: '/account/reset',
  about: '/about',
  shipping: '/shipping',
  credits: '/credits',
  'not-found': '/nothing-here',
};

for (const [name, path] of Object.entries(pages)) {
  test(`${name} is accessible and fits, in light and in dark`, async ({ page, expectAccessible, keepScreenshot }) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // The browser itself reports the status of a page that is not found.
      if (message.type() === 'error' && !message.text().includes('404')) complaints.push(message.text());
    });
    await page.goto(path);
    if (name === 'department') await page.locator('.discs').getByRole('link', { name: 'Women' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await expectNoSidewaysScroll(page);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible();
      await keepScreenshot(`${name}-${colorScheme}`);
    }
    expect(complaints).toEqual([]);
  });
}

test('pages load nothing from anywhere else', async ({ page, baseURL }) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(baseURL ?? '')) foreign.push(request.url());
  });
  for (const path of ['/', sweatshirt, '/search?q=bag']) {
    await page.goto(path, { waitUntil: 'networkidle' });
  }
  expect(foreign).toEqual([]);
});

test('the chosen colours stay', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('button', { name: 'Switch between light and dark' }).click();
  const chosen = await page.locator('html').getAttribute('data-theme');
  expect(chosen).toMatch(/^(light|dark)$/);
  await page.goto('/about');
  await expect(page.locator('html')).toHaveAttribute('data-theme', chosen ?? '');
});
