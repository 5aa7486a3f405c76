import type {
  Order,
  OrderSummary,
  Overview,
  Product,
  ProductSummary,
  Promotion,
  TimelineEntry,
} from '../src/api/types';
import { makeProducts } from './catalogue.ts';
import { makeOrders } from './orders.ts';
import { makePromotions } from './promotions.ts';

/** The state behind the mock API: one signed-in member of staff, products and orders that change like real ones. */
export interface Shop {
  signedIn: boolean;
  products: Product[];
  orders: Order[];
  promotions: Promotion[];
  /** What happened to orders beyond being placed, by their id. */
  timelines: Map<string, TimelineEntry[]>;
  /** Answers by Idempotency-Key, so that a repeated write changes nothing. */
  answers: Map<string, unknown>;
}

/** The one password the mock accepts. */
export const mockPassword = 'correct horse';

export function newShop(now = new Date()): Shop {
  const products = makeProducts();
  return {
    signedIn: true,
    products,
    orders: makeOrders(products, now),
    promotions: makePromotions(now),
    timelines: new Map(),
    answers: new Map(),
  };
}

export function summariseOrder(order: Order): OrderSummary {
  return {
    id: order.id,
    number: order.number,
    status: order.status,
    payment_status: order.payments[0]?.status ?? '',
    email: order.email,
    customer_name: order.shipping_address.name,
    item_count: order.lines.reduce((sum, line) => sum + line.quantity, 0),
    total: order.totals.total,
    placed_at: order.placed_at,
  };
}

export function summariseProduct(product: Product): ProductSummary {
  const prices = product.variants.map((v) => v.price?.amount ?? 0);
  const money = (amount: number) => ({ amount, currency: 'USD' });
  return {
    id: product.id,
    slug: product.slug,
    title: product.title,
    status: product.status,
    category: product.category?.name ?? '',
    image: product.images[0],
    price: money(Math.min(...prices)),
    price_max: money(Math.max(...prices)),
    stock: product.variants.reduce((sum, v) => sum + v.available, 0),
    variant_count: product.variants.length,
    updated_at: '2026-05-01T09:30:00Z',
  };
}

export function overviewOf(shop: Shop, now = new Date()): Overview {
  const usd = (amount: number) => ({ amount, currency: 'USD' });
  const days = Array.from({ length: 30 }, (_, n) => {
    const at = new Date(now.getTime() - (29 - n) * 86_400_000);
    const orders = 9 + ((n * 7) % 11) + (at.getUTCDay() % 6 === 0 ? 8 : 0);
    return { date: at.toISOString().slice(0, 10), orders, revenue: usd(orders * 7_412 + ((n * 931) % 4000)) };
  });
  const figures = (n: number) => days.at(n) ?? { orders: 0, revenue: usd(0) };
  return {
    currency: 'USD',
    today: { orders: figures(-1).orders, revenue: figures(-1).revenue },
    yesterday: { orders: figures(-2).orders, revenue: figures(-2).revenue },
    last_30_days: days,
    to_fulfil: shop.orders.filter((o) => o.status === 'paid').length,
    low_stock: shop.products
      .flatMap((p) =>
        p.variants.map((v) => ({
          sku: v.sku,
          title: `${p.title}${v.options['Size'] ? `, ${v.options['Size']}` : ''}`,
          available: v.available,
          product_id: p.id,
        })),
      )
      .filter((v) => v.available < 6)
      .slice(0, 8),
  };
}
