import { apiBase, request } from './client';
import { intents } from './idempotency';
import { inOrder } from './variants';
import type {
  LinePieces,
  Me,
  Money,
  Order,
  OrderEdit,
  OrderSummary,
  Overview,
  Page,
  Product,
  ProductPatch,
  ProductSummary,
  Promotion,
  PromotionDay,
  PromotionInput,
  Receipt,
  ReturnReason,
  StockLevel,
  TimelineEntry,
  Tracking,
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
  /** Takes all of the money that waits without an amount. */
  captureOrder: (id: string, amount?: Money) =>
    post<Order>(`/orders/${encode(id)}/capture`, amount ? { amount } : {}).then(wholeOrder),
  fulfilOrder: (id: string, lines: LinePieces[], tracking: Tracking) =>
    post<Order>(`/orders/${encode(id)}/fulfilments`, { lines, ...tracking }).then(wholeOrder),
  setTracking: (id: string, fulfilmentId: string, tracking: Tracking) =>
    request<Order>('PUT', `/orders/${encode(id)}/fulfilments/${encode(fulfilmentId)}/tracking`, {
      body: tracking,
    }).then(wholeOrder),
  editOrder: (id: string, edit: OrderEdit) =>
    post<Order>(`/orders/${encode(id)}/edits`, edit).then(wholeOrder),
  refundOrder: (id: string, amount: Money, reason: string) =>
    post<Order>(`/orders/${encode(id)}/refunds`, { amount, reason }).then(wholeOrder),
  retryRefund: (id: string, refundId: string) =>
    post<Order>(`/orders/${encode(id)}/refunds/${encode(refundId)}/retry`, {}).then(wholeOrder),
  createReturn: (id: string, body: { lines: LinePieces[]; reason: ReturnReason; note: string }) =>
    post<Order>(`/orders/${encode(id)}/returns`, body).then(wholeOrder),
  decideReturn: (id: string, returnId: string, decision: 'approve' | 'reject' | 'cancel', note: string) =>
    post<Order>(`/orders/${encode(id)}/returns/${encode(returnId)}/${decision}`, { note }).then(wholeOrder),
  receiveReturn: (id: string, returnId: string, receipt: Receipt) =>
    post<Order>(`/orders/${encode(id)}/returns/${encode(returnId)}/receive`, receipt).then(wholeOrder),
  noteOrder: (id: string, note: string) =>
    post<Order>(`/orders/${encode(id)}/notes`, { note }).then(wholeOrder),
  timeline: (id: string, signal?: AbortSignal) =>
    request<{ items: TimelineEntry[] | null }>('GET', `/orders/${encode(id)}/timeline`, { signal }).then(
      ({ items }) => filled(items),
    ),
  /** Where the PDF of an invoice or a credit note is. */
  documentUrl: (id: string, documentId: string) =>
    `${apiBase}/orders/${encode(id)}/documents/${encode(documentId)}`,

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

  promotions: (after: string | null, signal?: AbortSignal) =>
    request<Page<Promotion>>('GET', '/promotions', { query: { limit: pageSize, after }, signal }),
  promotion: (id: string, signal?: AbortSignal) =>
    request<Promotion>('GET', `/promotions/${encode(id)}`, { signal }),
  createPromotion: (promotion: PromotionInput) => post<Promotion>('/promotions', promotion),
  /** Rejects with 412 when somebody else changed the promotion after version was read. */
  replacePromotion: (id: string, version: number, promotion: PromotionInput) =>
    request<Promotion>('PUT', `/promotions/${encode(id)}`, {
      body: promotion,
      headers: { 'If-Match': `"${version}"` },
    }),
  /** What a promotion did in the last 30 days. */
  promotionDays: (id: string, signal?: AbortSignal) =>
    request<{ items: PromotionDay[] }>('GET', `/promotions/${encode(id)}/statistics`, { signal }).then(
      ({ items }) => items,
    ),
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
    promotions: filled(order.promotions),
    payments: filled(order.payments),
    fulfilments: filled(order.fulfilments),
    refunds: filled(order.refunds),
    returns: filled(order.returns).map((r) => ({ ...r, exchange: filled(r.exchange) })),
    documents: filled(order.documents),
    supplements: filled(order.supplements),
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
