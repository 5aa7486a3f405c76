import { http, HttpResponse, type HttpHandler } from 'msw';
import type {
  LinePieces,
  Money,
  Order,
  ProductPatch,
  Promotion,
  Receipt,
  ReturnReason,
  Variant,
} from '../src/api/types';
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
  return [...session(shop), ...orders(shop), ...products(shop), ...promotions(shop), ...inventory(shop)];
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
    change: (order: Order, body: never) => Response | undefined,
  ) => {
    const key = request.headers.get('Idempotency-Key');
    if (!key) return problem(400, 'idempotency_key_required', 'Send an Idempotency-Key.');
    const order = shop.orders.find((o) => o.id === id);
    if (!order) return notFound();
    const body = (await request.json()) as never;
    if (!shop.answers.has(key)) {
      const refusal = change(order, body);
      if (refusal) return refusal;
      order.version++;
      shop.answers.set(key, structuredClone(order));
    }
    return HttpResponse.json(shop.answers.get(key) as Order);
  };
  const record = (
    order: Order,
    kind: string,
    more: { detail?: string; note?: string; amount?: Money } = {},
  ) => {
    const entry = { at: new Date().toISOString(), kind, actor: 'staff:stf_1', ...more };
    shop.timelines.set(order.id, [...(shop.timelines.get(order.id) ?? []), entry]);
  };
  const giveBack = (order: Order, amount: Money, reason: string, returnId?: string) => {
    order.refunds.push({
      id: `ref_${order.refunds.length}`,
      state: 'done',
      amount,
      shipping: { ...amount, amount: 0 },
      reason,
      created_at: new Date().toISOString(),
      ...(returnId && { return_id: returnId }),
    });
    order.refunded = { ...amount, amount: order.refunded.amount + amount.amount };
    order.refundable = { ...amount, amount: order.refundable.amount - amount.amount };
  };
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
      act(request, params['id'], (order, { reason }: { reason?: string }) => {
        order.status = 'cancelled';
        order.actions = [];
        record(order, 'cancelled');
        if (reason) record(order, 'reason', { note: reason });
      }),
    ),
    http.post(`${base}/orders/:id/capture`, ({ request, params }) =>
      act(request, params['id'], (order) => {
        for (const payment of order.payments) {
          payment.status = 'captured';
          payment.captured = payment.amount;
        }
        order.actions = order.actions.filter((a) => a !== 'capture');
        record(order, 'paid');
      }),
    ),
    http.post(`${base}/orders/:id/fulfilments`, ({ request, params }) =>
      act(request, params['id'], (order, { lines, tracking }: { lines: LinePieces[]; tracking?: string }) => {
        for (const line of order.lines) {
          line.fulfilled_quantity += lines.find((l) => l.line_id === line.id)?.quantity ?? 0;
        }
        const complete = order.lines.every((l) => l.fulfilled_quantity === l.quantity);
        order.status = complete ? 'fulfilled' : 'partially_fulfilled';
        order.actions = complete ? ['refund', 'return'] : ['fulfil', 'edit', 'refund', 'return'];
        order.fulfilments.push({
          id: `ful_${order.fulfilments.length}`,
          lines,
          created_at: new Date().toISOString(),
          ...(tracking && { tracking }),
        });
        record(order, 'fulfilled', { ...(tracking && { detail: tracking }) });
      }),
    ),
    http.post(`${base}/orders/:id/refunds`, ({ request, params }) =>
      act(request, params['id'], (order, { amount, reason }: { amount: Money; reason: string }) => {
        if (amount.amount > order.refundable.amount) {
          return problem(422, 'refund_exceeds_capture', 'More cannot go back than was taken.');
        }
        giveBack(order, amount, 'goodwill');
        record(order, 'refund_promised', { amount, note: reason });
      }),
    ),
    http.post(`${base}/orders/:id/edits`, ({ request, params }) =>
      act(request, params['id'], (order, { lines }: { lines: LinePieces[] }) => {
        for (const line of order.lines) {
          const wanted = lines.find((l) => l.line_id === line.id);
          if (!wanted) continue;
          const taken = line.quantity - line.cancelled_quantity - wanted.quantity;
          line.cancelled_quantity += taken;
          const amount = { ...line.unit_price, amount: line.unit_price.amount * taken };
          giveBack(order, amount, 'lines_cancelled');
        }
        record(order, 'lines_cancelled');
      }),
    ),
    http.post(`${base}/orders/:id/returns`, ({ request, params }) =>
      act(
        request,
        params['id'],
        (order, { lines, reason }: { lines: LinePieces[]; reason: ReturnReason }) => {
          order.returns.push({
            id: `ret_${order.returns.length}`,
            status: 'approved',
            reason,
            lines: lines.map((l) => ({ ...l, received_quantity: 0, restocked_quantity: 0 })),
            exchange: [],
            created_at: new Date().toISOString(),
          });
          record(order, 'return_approved', { detail: reason });
        },
      ),
    ),
    http.post(`${base}/orders/:id/returns/:return/receive`, ({ request, params }) =>
      act(request, params['id'], (order, receipt: Receipt) => {
        const found = order.returns.find((r) => r.id === params['return']);
        if (found?.status !== 'approved') return problem(409, 'invalid_state', 'The return is not approved.');
        found.status = 'received';
        let sum = -(receipt.deduction?.amount ?? 0);
        for (const got of receipt.lines) {
          const line = order.lines.find((l) => l.id === got.line_id);
          const announced = found.lines.find((l) => l.line_id === got.line_id);
          if (!line || !announced) continue;
          announced.received_quantity = got.quantity;
          announced.restocked_quantity = got.restock ? got.quantity : 0;
          line.returned_quantity += got.quantity;
          sum += line.unit_price.amount * got.quantity;
        }
        giveBack(order, { ...order.refundable, amount: sum }, 'return', found.id);
        record(order, 'return_received');
      }),
    ),
    http.post(`${base}/orders/:id/notes`, ({ request, params }) =>
      act(request, params['id'], (order, { note }: { note: string }) => {
        record(order, 'note', { note });
      }),
    ),
    http.get(`${base}/orders/:id/timeline`, ({ params }) => {
      const order = shop.orders.find((o) => o.id === params['id']);
      if (!order) return notFound();
      const placed = { at: order.placed_at, kind: 'placed', actor: 'customer:cus_1' };
      return HttpResponse.json({ items: [placed, ...(shop.timelines.get(order.id) ?? [])], next: null });
    }),
  ];
}

function promotions(shop: Shop): HttpHandler[] {
  const answer = (promotion: Promotion, status = 200) =>
    HttpResponse.json(promotion, { status, headers: { ETag: `"${promotion.version}"` } });
  const find = (id: unknown) => shop.promotions.find((p) => p.id === id);
  return [
    http.get(`${base}/promotions`, ({ request }) =>
      HttpResponse.json(page(shop.promotions, new URL(request.url).searchParams)),
    ),
    http.post(`${base}/promotions`, async ({ request }) => {
      const input = (await request.json()) as Promotion;
      const taken = shop.promotions.some((p) => p.codes?.some((c) => input.codes?.includes(c)));
      if (taken) return problem(409, 'coupon_code_taken', 'Another promotion has this code.');
      const now = new Date().toISOString();
      const made = { ...input, id: 'promo_new', uses: 0, version: 1, created_at: now, updated_at: now };
      shop.promotions.unshift(made);
      return answer(made, 201);
    }),
    http.get(`${base}/promotions/:id`, ({ params }) => {
      const promotion = find(params['id']);
      return promotion ? answer(promotion) : notFound();
    }),
    http.put(`${base}/promotions/:id`, async ({ request, params }) => {
      const promotion = find(params['id']);
      if (!promotion) return notFound();
      if (request.headers.get('If-Match') !== `"${promotion.version}"`) {
        return problem(412, 'stale_version', 'The promotion was changed in the meantime.');
      }
      const { id, uses, version, created_at, updated_at } = promotion;
      const next = {
        ...((await request.json()) as Promotion),
        id,
        uses,
        version: version + 1,
        created_at,
        updated_at,
      };
      shop.promotions.splice(shop.promotions.indexOf(promotion), 1, next);
      return answer(next);
    }),
    http.get(`${base}/promotions/:id/statistics`, () =>
      HttpResponse.json({
        items: [
          {
            date: '2026-05-01',
            orders: 3,
            revenue: { amount: 21_000, currency: 'USD' },
            discount: { amount: 2_100, currency: 'USD' },
            cancelled: 0,
          },
        ],
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
