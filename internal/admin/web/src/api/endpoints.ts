import { request } from './client';
import { intents } from './idempotency';
import { inOrder } from './variants';
import type {
  Me,
  Money,
  Order,
  OrderSummary,
  Overview,
  Page,
  Product,
  ProductPatch,
  ProductSummary,
  StockLevel,
  Variant,
} from './types';

/** What narrows a list; empty strings mean no filter. */
export interface ListFilter {
  q?: string | undefined;
  status?: string | undefined;
}

const pageSize = 50;

export const api = {
  signIn: (email: string, password: string) =>
    request<undefined>('POST', '/session', { body: { email, password } }),
  signOut: () => request<undefined>('DELETE', '/session'),
  me: (signal?: AbortSignal) => request<Me>('GET', '/me', { signal }),
  overview: (signal?: AbortSignal) => request<Overview>('GET', '/overview', { signal }),

  orders: (filter: ListFilter, after: string | null, signal?: AbortSignal, limit = pageSize) =>
    request<Page<OrderSummary>>('GET', '/orders', { query: { ...filter, limit, after }, signal }),
  order: (id: string, signal?: AbortSignal) =>
    request<Order>('GET', `/orders/${encode(id)}`, { signal }).then(wholeOrder),
  cancelOrder: (id: string, reason: string) =>
    post<Order>(`/orders/${encode(id)}/cancel`, { reason }).then(wholeOrder),
  captureOrder: (id: string) => post<Order>(`/orders/${encode(id)}/capture`, {}).then(wholeOrder),
  fulfilOrder: (id: string, tracking: string) =>
    post<Order>(`/orders/${encode(id)}/fulfilments`, tracking ? { tracking } : {}).then(wholeOrder),

  products: (filter: ListFilter, after: string | null, signal?: AbortSignal) =>
    request<Page<ProductSummary>>('GET', '/products', {
      query: { ...filter, limit: pageSize, after },
      signal,
    }),
  product: (id: string, signal?: AbortSignal) =>
    request<Product>('GET', `/products/${encode(id)}`, { signal }).then(wholeProduct),
  /** Rejects with 412 when somebody else changed the product after version was read. */
  patchProduct: (id: string, version: number, patch: ProductPatch) =>
    request<Product>('PATCH', `/products/${encode(id)}`, {
      body: patch,
      headers: { 'If-Match': `"${version}"` },
    }).then(wholeProduct),
  setPrice: (variantId: string, price: Money, compareAtPrice: Money | null) =>
    request<Variant>('PUT', `/variants/${encode(variantId)}/price`, {
      body: { price, compare_at_price: compareAtPrice },
    }),
  /** quantity is signed: 5 came in, −2 went missing. */
  adjustStock: (sku: string, quantity: number, reason: string) =>
    post<StockLevel>(`/inventory/${encode(sku)}/adjustments`, { quantity, reason }),
};

const encode = encodeURIComponent;

function post<T>(path: string, body: object): Promise<T> {
  return intents.run(path, body, (key) =>
    request<T>('POST', path, { body, headers: { 'Idempotency-Key': key } }),
  );
}

// Go writes an empty list or map that was never filled as null; pages need not know.

function wholeOrder(order: Order): Order {
  return {
    ...order,
    lines: filled(order.lines).map((line) => ({ ...line, options: filledMap(line.options) })),
    payments: filled(order.payments),
    history: filled(order.history),
    actions: filled(order.actions),
  };
}

function wholeProduct(product: Product): Product {
  const options = filled(product.options);
  return {
    ...product,
    images: filled(product.images),
    options,
    variants: inOrder(
      filled(product.variants).map((v) => ({ ...v, options: filledMap(v.options) })),
      options,
    ),
  };
}

const filled = <T>(list: T[] | null): T[] => list ?? [];
const filledMap = (map: Record<string, string> | null): Record<string, string> => map ?? {};
