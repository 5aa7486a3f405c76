import AxeBuilder from '@axe-core/playwright';
import { expect, test as base } from '@playwright/test';

type Fixtures = {
  /** Fails when axe finds a violation of WCAG 2.2 AA or of its best practices on the page as it is now. */
  expectAccessible: () => Promise<void>;
  /** Keeps a picture of the whole page in artifacts/screenshots/<project>/<name>.png. */
  keepScreenshot: (name: string) => Promise<void>;
};

/** Playwright's test with what every page of the shop is checked for. */
export const test = base.extend<Fixtures>({
  expectAccessible: async ({ page }, use) => {
    await use(async () => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.target.join(' ')) }));
      expect(found, `accessibility of ${page.url()}`).toEqual([]);
    });
  },
  keepScreenshot: async ({ page }, use, info) => {
    await use(async (name) => {
      await page.screenshot({ path: `artifacts/screenshots/${info.project.name}/${name}.png`, fullPage: true });
    });
  },
});

export { expect };
