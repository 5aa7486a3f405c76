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
  fulfilled_quantity: number;
  /** Taken off before they were sent. */
  cancelled_quantity: number;
  /** Sent and given back. */
  returned_quantity: number;
  unit_price: Money;
  discount: Money;
  /** Added on top of the price; zero where the price includes it. */
  tax: Money;
  /** unit_price × quantity − discount + tax. */
  total: Money;
  product_id: string;
}

/** So many pieces of a line. */
export interface LinePieces {
  line_id: string;
  quantity: number;
}

export interface Tracking {
  carrier?: string;
  /** The carrier's number of the parcel. */
  tracking?: string;
  tracking_url?: string;
}

export interface Fulfilment extends Tracking {
  id: string;
  lines: LinePieces[];
  created_at: string;
}

export interface Refund {
  id: string;
  /** failed: the gateway would not give it; it stays owed. */
  state: 'promised' | 'accepted' | 'done' | 'failed';
  amount: Money;
  shipping: Money;
  reason: string;
  return_id?: string;
  created_at: string;
}

export const returnReasons = [
  'damaged',
  'wrong_article',
  'not_as_described',
  'does_not_fit',
  'changed_mind',
  'other',
] as const;
export type ReturnReason = (typeof returnReasons)[number];

export type ReturnStatus = 'requested' | 'approved' | 'received' | 'rejected' | 'cancelled';

export interface Return {
  id: string;
  status: ReturnStatus;
  reason: ReturnReason;
  note?: string;
  lines: (LinePieces & { received_quantity: number; restocked_quantity: number })[];
  /** What is wanted instead; empty for the money. */
  exchange: Wanted[];
  refund_id?: string;
  exchange_order_id?: string;
  created_at: string;
}

/** An article by its SKU. */
export interface Wanted {
  sku?: string;
  quantity: number;
}

export interface OrderDocument {
  id: string;
  kind: 'invoice' | 'credit_note';
  number: string;
  issued_at: string;
}

/** An order that belongs to another one: an addition or an exchange. */
export interface Supplement {
  order_id: string;
  parent_id: string;
  kind: 'addition' | 'exchange';
  number: number;
  status: OrderStatus;
  total: Money;
}

export interface AppliedPromotion {
  promotion_id: string;
  code?: string;
  title: string;
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

/** One thing that happened to an order, or to its payments, parcels, returns, mails and documents. */
export interface TimelineEntry {
  at: string;
  kind: string;
  /** Who did it: "customer:cus_…", "staff:stf_…", "system". */
  actor?: string;
  detail?: string;
  amount?: Money;
  /** In the words of whoever did it. */
  note?: string;
}

export type OrderAction = 'cancel' | 'fulfil' | 'capture' | 'edit' | 'refund' | 'return' | 'address';

export interface Order {
  id: string;
  number: number;
  status: OrderStatus;
  version: number;
  email: string;
  currency: string;
  placed_at: string;
  paid_at?: string;
  lines: OrderLine[];
  totals: OrderTotals;
  /** Without a name where nothing is sent. */
  shipping_method: { name: string };
  shipping_address: Address;
  promotions: AppliedPromotion[];
  payments: Payment[];
  fulfilments: Fulfilment[];
  /** Of the total, what goes back or went back. The total stays what was charged. */
  refunded: Money;
  /** What of the order's money can still go back. */
  refundable: Money;
  refunds: Refund[];
  returns: Return[];
  documents: OrderDocument[];
  /** The order that this one was made for. */
  belongs_to?: Supplement;
  /** Orders that were made for this one. */
  supplements: Supplement[];
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

/** What arrived of a return. */
export interface Receipt {
  lines: (LinePieces & { restock: boolean })[];
  refund_shipping: boolean;
  /** Kept for wear. */
  deduction?: Money;
  /** Give the money back although an exchange was asked for. */
  money_only: boolean;
  note?: string;
}

export interface OrderEdit {
  /** How many pieces of these lines are wanted from now on. */
  lines: LinePieces[];
  add: Wanted[];
  /** What is taken off cannot be sold again. */
  lost: boolean;
  note?: string;
}

export const promotionKinds = ['percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y'] as const;
export type PromotionKind = (typeof promotionKinds)[number];

/** Articles by id; all of them where it is empty. */
export interface PromotionScope {
  products?: string[];
  variants?: string[];
  categories?: string[];
}

export interface PromotionConditions {
  minimum_subtotal?: Money[];
  currencies?: string[];
  customer_groups?: string[];
  customers?: string[];
  first_order?: boolean;
  shipping_methods?: string[];
}

/** What the merchant says of a promotion; it is replaced as a whole. */
export interface PromotionInput {
  title: string;
  kind: PromotionKind;
  active: boolean;
  /** Without codes it is applied by itself. */
  codes?: string[];
  percent?: number;
  amounts?: Money[];
  per?: 'order' | 'line' | 'piece';
  buy?: PromotionScope & { quantity: number };
  get?: PromotionScope & { quantity: number };
  max_sets?: number;
  include: PromotionScope;
  exclude: PromotionScope;
  conditions: PromotionConditions;
  stack_group?: string;
  stacking?: 'combinable' | 'exclusive';
  priority?: number;
  valid_from?: string;
  valid_to?: string;
  use_limit?: number;
  per_customer_limit?: number;
}

export interface Promotion extends PromotionInput {
  id: string;
  /** Counted against its limits, also by orders that wait to be paid; 0 without limits. */
  uses: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface PromotionDay {
  date: string;
  orders: number;
  revenue: Money;
  discount: Money;
  cancelled: number;
}
