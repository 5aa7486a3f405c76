import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type APIRequestContext, type Page, type TestInfo } from '@playwright/test';

const program = process.env.E2E_BIN ?? fileURLToPath(new URL('../../bin/shopd', import.meta.url));
const data = process.env.E2E_DATA ?? join(tmpdir(), 'shopd-e2e');

/** Runs a command of the program beside the demo and returns what it prints. */
export function bin(...args: string[]): string {
  // The program refuses settings that it does not know; what Playwright keeps there is none of its own.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHOPD_')));
  return execFileSync(program, args, { encoding: 'utf8', env });
}

/** Makes an owner of the shop, as a person at its terminal does, and returns the link that signs them in once. */
export function signInLink(info: TestInfo): string {
  const email = `e2e-${info.project.name}-${randomUUID()}@example.com`;
  const printed = bin('users', 'create-admin', '--data', data, '--email', email);
  const link = /https?:\S+/.exec(printed)?.[0];
  if (!link) throw new Error(`no link in ${printed}`);
  return link;
}

/** Signs an owner in. */
export async function signIn(page: Page, info: TestInfo) {
  await page.goto(signInLink(info));
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible();
}

export interface Bought {
  id: string;
  number: number;
  secret: string;
  totals: { discount: { amount: number } };
}

/** Buys bags of one kind through the API, as another storefront would. */
export async function buy(request: APIRequestContext, quantity = 1, coupon = ''): Promise<Bought> {
  const api = '/api/v1/store';
  const cart = await (await request.post(`${api}/carts`, { data: { currency: 'USD', country: 'US' } })).json();
  const headers = { 'X-Cart-Token': cart.token as string };
  const call = async (method: 'post' | 'put', path: string, body: unknown, more: Record<string, string> = {}) => {
    const answer = await request[method](`${api}/carts/${cart.id}${path}`, { data: body, headers: { ...headers, ...more } });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return answer.json();
  };
  await call('post', '/lines', { sku: '24-MB01', quantity });
  await call('put', '/address', {
    email: coupon ? `${coupon.toLowerCase()}@example.com` : 'ada@example.com',
    shipping: { name: 'Ada Lovelace', line1: '12 Analytical Street', city: 'Oakland', region: 'CA', postal_code: '94601', country: 'US' },
  });
  if (coupon) await call('post', '/promotions', { code: coupon });
  const methods = await (await request.get(`${api}/carts/${cart.id}/shipping-method`, { headers })).json();
  await call('put', '/shipping-method', { shipping_method_id: methods.items[0].id });
  return call('post', '/complete', { payment: { provider: 'test', method: 'test_ok' } }, { 'Idempotency-Key': randomUUID() });
}
