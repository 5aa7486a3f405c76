import { http, HttpResponse, type HttpHandler } from 'msw';
import type { Order, ProductPatch, Variant } from '../src/api/types';
import { type Shop, mockPassword, overviewOf, summariseOrder, summariseProduct } from './shop.ts';

const base = '*/api/v1/admin';

/** An answer in the form of the API's errors. */
export function problem(status: number, code: string, detail: string): Response {
  return HttpResponse.json(
    {
      type: `https://shopd.example/problems/${code}`,
      title: code,
      status,
      code,
      detail,
      request_id: 'req_mock',
    },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  );
}

const notFound = () => problem(404, 'not_found', 'There is no such thing.');

/** The admin API as the server speaks it, on the state in shop: for development and tests only. */
export function handlers(shop: Shop): HttpHandler[] {
  return [...session(shop), ...orders(shop), ...products(shop), ...inventory(shop)];
}

function session(shop: Shop): HttpHandler[] {
  return [
    http.post(`${base}/session`, async ({ request }) => {
      const { password } = (await request.json()) as { password: string };
      if (password !== mockPassword)
        return problem(401, 'invalid_credentials', 'E-mail or password is wrong.');
      shop.signedIn = true;
      return new HttpResponse(null, { status: 204 });
    }),
    http.all(`${base}/*`, () => {
      if (!shop.signedIn) return problem(401, 'unauthenticated', 'Sign in first.');
    }),
    http.delete(`${base}/session`, () => {
      shop.signedIn = false;
      return new HttpResponse(null, { status: 204 });
    }),
    http.get(`${base}/me`, () =>
      HttpResponse.json({ id: 'stf_1', email: 'ada@example.com', name: 'Ada Moreau', role: 'owner' }),
    ),
    http.get(`${base}/overview`, () => HttpResponse.json(overviewOf(shop))),
  ];
}

function orders(shop: Shop): HttpHandler[] {
  const act = async (
    request: Request,
    id: unknown,
    change: (order: Order, body: { reason?: string }) => void,
  ) => {
    const key = request.headers.get('Idempotency-Key');
    if (!key) return problem(400, 'idempotency_key_required', 'Send an Idempotency-Key.');
    const order = shop.orders.find((o) => o.id === id);
    if (!order) return notFound();
    const body = (await request.json()) as { reason?: string };
    if (!shop.answers.has(key)) {
      change(order, body);
      order.version++;
      shop.answers.set(key, structuredClone(order));
    }
    return HttpResponse.json(shop.answers.get(key) as Order);
  };
  const record = (order: Order, kind: string, detail?: string) =>
    order.history.push({ at: new Date().toISOString(), kind, actor: 'staff:stf_1', detail });
  return [
    http.get(`${base}/orders`, ({ request }) => {
      const { searchParams } = new URL(request.url);
      const q = (searchParams.get('q') ?? '').toLowerCase();
      const status = searchParams.get('status');
      const found = shop.orders
        .filter(
          (o) => (!status || o.status === status) && (q === '' || String(o.number) === q || o.email === q),
        )
        .map(summariseOrder);
      return HttpResponse.json(page(found, searchParams));
    }),
    http.get(`${base}/orders/:id`, ({ params }) => {
      const order = shop.orders.find((o) => o.id === params['id']);
      return order ? HttpResponse.json(order) : notFound();
    }),
    http.post(`${base}/orders/:id/cancel`, ({ request, params }) =>
      act(request, params['id'], (order, { reason }) => {
        order.status = 'cancelled';
        order.actions = [];
        record(order, 'order_cancelled', reason);
      }),
    ),
    http.post(`${base}/orders/:id/capture`, ({ request, params }) =>
      act(request, params['id'], (order) => {
        for (const payment of order.payments) {
          payment.status = 'captured';
          payment.captured = payment.amount;
        }
        order.actions = order.actions.filter((a) => a !== 'capture');
        record(order, 'payment_captured');
      }),
    ),
    http.post(`${base}/orders/:id/fulfilments`, ({ request, params }) =>
      act(request, params['id'], (order) => {
        order.status = 'fulfilled';
        order.actions = [];
        record(order, 'order_fulfilled');
      }),
    ),
  ];
}

function products(shop: Shop): HttpHandler[] {
  const variantOf = (id: unknown): Variant | undefined =>
    shop.products.flatMap((p) => p.variants).find((v) => v.id === id);
  return [
    http.get(`${base}/products`, ({ request }) => {
      const { searchParams } = new URL(request.url);
      const q = (searchParams.get('q') ?? '').toLowerCase();
      const status = searchParams.get('status');
      const found = shop.products
        .filter((p) => (!status || p.status === status) && p.title.toLowerCase().includes(q))
        .map(summariseProduct);
      return HttpResponse.json(page(found, searchParams));
    }),
    http.get(`${base}/products/:id`, ({ params }) => {
      const product = shop.products.find((p) => p.id === params['id']);
      return product ? HttpResponse.json(product, { headers: { ETag: `"${product.version}"` } }) : notFound();
    }),
    http.patch(`${base}/products/:id`, async ({ request, params }) => {
      const product = shop.products.find((p) => p.id === params['id']);
      if (!product) return notFound();
      if (request.headers.get('If-Match') !== `"${product.version}"`) {
        return problem(412, 'version_mismatch', 'The product was changed in the meantime.');
      }
      Object.assign(product, (await request.json()) as ProductPatch);
      product.version++;
      return HttpResponse.json(product, { headers: { ETag: `"${product.version}"` } });
    }),
    http.put(`${base}/variants/:id/price`, async ({ request, params }) => {
      const variant = variantOf(params['id']);
      if (!variant) return notFound();
      const prices = (await request.json()) as Pick<Variant, 'price' | 'compare_at_price'>;
      variant.price = prices.price;
      variant.compare_at_price = prices.compare_at_price;
      variant.version++;
      return HttpResponse.json(variant);
    }),
  ];
}

function inventory(shop: Shop): HttpHandler[] {
  return [
    http.post(`${base}/inventory/:sku/adjustments`, async ({ request, params }) => {
      if (!request.headers.get('Idempotency-Key')) {
        return problem(400, 'idempotency_key_required', 'Send an Idempotency-Key.');
      }
      const variant = shop.products.flatMap((p) => p.variants).find((v) => v.sku === params['sku']);
      if (!variant) return notFound();
      const { quantity } = (await request.json()) as { quantity: number };
      if (variant.available + quantity < 0) {
        return problem(409, 'out_of_stock', `Only ${variant.available} are available.`);
      }
      variant.on_hand += quantity;
      variant.available += quantity;
      const { sku, on_hand, reserved, available } = variant;
      return HttpResponse.json({ sku, on_hand, reserved, available }, { status: 201 });
    }),
  ];
}

function page<T extends { id: string }>(all: T[], params: URLSearchParams) {
  const limit = Number(params.get('limit') ?? 24);
  const start = all.findIndex((item) => item.id === params.get('after')) + 1;
  const items = all.slice(start, start + limit);
  return { items, next: start + limit < all.length ? (items.at(-1)?.id ?? null) : null };
}
