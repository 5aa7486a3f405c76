/** A sum of money: `amount` counts minor units by the currency's ISO 4217 exponent (1999 USD is $19.99). */
export interface Money {
  amount: number;
  currency: string;
}

/** One page of a keyset list; `next` goes into `after` for the following page and is null on the last one. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** RFC 9457 problem, as every error of the API is written. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: string;
  request_id?: string;
  errors?: FieldProblem[];
}

export interface FieldProblem {
  pointer: string;
  code: string;
  detail: string;
}

export interface Me {
  id: string;
  email: string;
  name: string;
  role: string;
  /** What the shop is called; absent while nobody named it. */
  shop_name?: string;
}

export interface DayFigures {
  orders: number;
  revenue: Money;
}

export interface Overview {
  currency: string;
  today: DayFigures;
  yesterday: DayFigures;
  last_30_days: ({ date: string } & DayFigures)[];
  to_fulfil: number;
  low_stock: LowStock[];
}

export interface LowStock {
  sku: string;
  title: string;
  available: number;
  product_id: string;
}

export const orderStatuses = [
  'pending_payment',
  'paid',
  'partially_fulfilled',
  'fulfilled',
  'completed',
  'cancelled',
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

export type PaymentStatus =
  | 'created'
  | 'sending'
  | 'requires_action'
  | 'authorised'
  | 'captured'
  | 'partially_refunded'
  | 'refunded'
  | 'declined'
  | 'voided'
  | 'unknown';

export interface OrderSummary {
  id: string;
  number: number;
  status: OrderStatus;
  /** Empty while no payment was tried. */
  payment_status: PaymentStatus | '';
  email: string;
  customer_name: string;
  item_count: number;
  total: Money;
  placed_at: string;
}

export interface OrderLine {
  id: string;
  sku: string;
  title: string;
  options: Record<string, string>;
  /** Address of the picture; absent when the product has none. */
  image?: string;
  quantity: number;
  unit_price: Money;
  discount: Money;
  tax: Money;
  total: Money;
  product_id: string;
}

export interface OrderTotals {
  subtotal: Money;
  discount: Money;
  shipping: Money;
  /** Added on top of the prices; zero where prices include it. */
  tax: Money;
  /** Contained in the prices; zero where tax is added. */
  tax_included: Money;
  total: Money;
}

export interface Address {
  name: string;
  line1: string;
  line2?: string;
  city: string;
  region?: string;
  postal_code: string;
  country: string;
  phone?: string;
}

export interface Payment {
  id: string;
  provider: string;
  method?: string;
  status: PaymentStatus;
  amount: Money;
  captured: Money;
  refunded: Money;
  created_at: string;
}

export interface HistoryEntry {
  at: string;
  kind: string;
  /** Who did it: "customer:cus_…", "staff:stf_…", "system". */
  actor?: string;
  detail?: string;
}

export type OrderAction = 'cancel' | 'fulfil' | 'capture';

export interface Order {
  id: string;
  number: number;
  status: OrderStatus;
  version: number;
  email: string;
  currency: string;
  placed_at: string;
  lines: OrderLine[];
  totals: OrderTotals;
  /** Without a name where nothing is sent. */
  shipping_method: { name: string };
  shipping_address: Address;
  payments: Payment[];
  history: HistoryEntry[];
  /** What may be done with the order now; the server decides. */
  actions: OrderAction[];
}

export const productStatuses = ['active', 'draft', 'archived'] as const;
export type ProductStatus = (typeof productStatuses)[number];

export interface ImageRef {
  url: string;
  alt?: string;
  /** Dominant colour as CSS, shown until the picture is there. */
  colour?: string;
}

export interface ProductSummary {
  id: string;
  slug: string;
  title: string;
  status: ProductStatus;
  /** Name of the category, empty without one. */
  category: string;
  image?: ImageRef;
  price: Money;
  /** The dearest variant; equal to `price` when all cost the same. */
  price_max: Money;
  stock: number;
  variant_count: number;
  updated_at: string;
}

export interface Variant {
  id: string;
  sku: string;
  options: Record<string, string>;
  /** Null while the variant has no price in the shop's currency. */
  price: Money | null;
  compare_at_price: Money | null;
  version: number;
  on_hand: number;
  reserved: number;
  available: number;
}

export interface Product {
  id: string;
  slug: string;
  title: string;
  description: string;
  brand: string;
  status: ProductStatus;
  version: number;
  /** `path` as in "Women > Tops". */
  category?: { id: string; name: string; path: string };
  images: (ImageRef & { width?: number; height?: number })[];
  options: { name: string; values: string[] }[];
  variants: Variant[];
  /** The shop's currency; absent from servers that do not tell, where it is that of the prices. */
  currency?: string;
}

export interface ProductPatch {
  title?: string;
  description?: string;
  status?: ProductStatus;
}

export interface StockLevel {
  sku: string;
  on_hand: number;
  reserved: number;
  available: number;
}
