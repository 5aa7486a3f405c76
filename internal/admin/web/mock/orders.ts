import type { Order, OrderAction, OrderLine, OrderStatus, PaymentStatus, Product } from '../src/api/types';

type Stage = [status: OrderStatus, payment: PaymentStatus | '', actions: OrderAction[]];

const stages: Stage[] = [
  ['paid', 'captured', ['cancel', 'fulfil', 'edit', 'refund']],
  ['paid', 'authorised', ['cancel', 'capture', 'fulfil']],
  ['pending_payment', 'requires_action', ['cancel']],
  ['fulfilled', 'captured', ['refund', 'return']],
  ['paid', 'captured', ['cancel', 'fulfil']],
  ['completed', 'captured', []],
  ['cancelled', 'refunded', []],
  ['partially_fulfilled', 'partially_refunded', ['fulfil']],
  ['pending_payment', 'declined', ['cancel']],
  ['pending_payment', 'unknown', ['cancel']],
];

const people = [
  ['Amelia Hart', 'amelia.hart@example.com'],
  ['Noah Lindqvist', 'noah.lindqvist@example.org'],
  ['Priya Raman', 'priya.raman@example.com'],
  ['Mateo García', 'mateo.garcia@example.net'],
  ['Chloé Bernard', 'chloe.bernard@example.com'],
  ['Kenji Watanabe', 'kenji.watanabe@example.org'],
  ['Sofia Rossi', 'sofia.rossi@example.com'],
] as const;

const minute = 60_000;

/** Orders of the mock shop, the newest first, the last of them about a month before now. */
export function makeOrders(products: Product[], now: Date): Order[] {
  return Array.from({ length: 64 }, (_, n) => {
    const age = (7 + n * 23 + n * n * 10) * minute;
    return makeOrder(n, products, new Date(now.getTime() - age));
  });
}

function makeOrder(n: number, products: Product[], placedAt: Date): Order {
  const [status, payment, actions] = stages[n % stages.length] ?? (['paid', 'captured', []] as Stage);
  const [name, email] = people[n % people.length] ?? people[0];
  const lines = Array.from({ length: (n % 3) + 1 }, (_, k) => makeLine(n, k, products));
  const usd = (amount: number) => ({ amount, currency: 'USD' });
  const subtotal = lines.reduce((sum, line) => sum + line.total.amount, 0);
  const discount = n % 4 === 0 ? Math.round(subtotal / 10) : 0;
  const tax = Math.round((subtotal - discount) * 0.0825);
  const total = subtotal - discount + 500 + tax;
  const at = placedAt.toISOString();
  const sent = ['fulfilled', 'completed'].includes(status);
  for (const line of lines) line.fulfilled_quantity = sent ? line.quantity : 0;
  const paid = payment !== '' && ['captured', 'refunded', 'partially_refunded'].includes(payment);
  const payments = payment ? [makePayment(n, payment, total, at)] : [];
  const refunded = payments[0]?.refunded.amount ?? 0;
  return {
    id: `ord_${String(n + 1).padStart(3, '0')}`,
    number: 10_564 - n,
    status,
    version: 1,
    email,
    currency: 'USD',
    placed_at: at,
    lines,
    totals: {
      subtotal: usd(subtotal),
      discount: usd(discount),
      shipping: usd(500),
      tax: usd(tax),
      tax_included: usd(0),
      total: usd(total),
    },
    shipping_method: { name: 'Standard, 3–5 days' },
    shipping_address: {
      name,
      line1: '18 Harbour Street',
      line2: n % 2 ? 'Apartment 4' : undefined,
      city: 'Portland',
      region: 'OR',
      postal_code: '97204',
      country: 'US',
      phone: '+1 503 555 0142',
    },
    ...(paid && { paid_at: at }),
    promotions: discount ? [{ promotion_id: 'promo_1', code: 'SPRING10', title: 'Spring' }] : [],
    payments,
    fulfilments: sent
      ? [
          {
            id: `ful_${n}`,
            lines: lines.map(({ id, quantity }) => ({ line_id: id, quantity })),
            carrier: 'UPS',
            tracking: `1Z999AA1${n}`,
            tracking_url: `https://www.ups.com/track?tracknum=1Z999AA1${n}`,
            created_at: at,
          },
        ]
      : [],
    refunded: usd(refunded),
    refundable: usd(paid && status !== 'cancelled' ? total - refunded : 0),
    refunds: [],
    returns: [],
    documents: paid
      ? [{ id: `doc_${n}`, kind: 'invoice', number: `INV-2026-${String(n).padStart(6, '0')}`, issued_at: at }]
      : [],
    supplements: [],
    actions,
  };
}

function makePayment(n: number, status: PaymentStatus, total: number, at: string) {
  const usd = (amount: number) => ({ amount, currency: 'USD' });
  const captured = ['captured', 'refunded', 'partially_refunded'].includes(status) ? total : 0;
  const refunded =
    status === 'refunded' ? total : status === 'partially_refunded' ? Math.round(total / 2) : 0;
  return {
    id: `pay_${n}`,
    provider: n % 3 ? 'stripe' : 'paypal',
    method: 'card',
    status,
    amount: usd(total),
    captured: usd(captured),
    refunded: usd(refunded),
    created_at: at,
  };
}

function makeLine(n: number, k: number, products: Product[]): OrderLine {
  const product = products[(n * 5 + k * 3) % products.length];
  const variant = product?.variants[n % product.variants.length];
  if (!product || !variant?.price) throw new Error('the mock catalogue is empty');
  const quantity = ((n + k) % 3) + 1;
  const usd = (amount: number) => ({ amount, currency: 'USD' });
  return {
    id: `line_${n}_${k}`,
    sku: variant.sku,
    title: product.title,
    options: variant.options,
    image: product.images[0]?.url,
    quantity,
    fulfilled_quantity: 0,
    cancelled_quantity: 0,
    returned_quantity: 0,
    unit_price: variant.price,
    discount: usd(0),
    tax: usd(0),
    total: usd(variant.price.amount * quantity),
    product_id: product.id,
  };
}
