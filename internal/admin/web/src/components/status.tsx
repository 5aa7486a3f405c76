import type { OrderStatus, PaymentStatus, ProductStatus, Refund, ReturnStatus } from '../api/types';
import { humanise } from '../format/words';
import classes from './status.module.css';

type Tone = 'good' | 'wait' | 'bad' | 'quiet' | 'info';

const orderTones: Record<OrderStatus, Tone> = {
  pending_payment: 'wait',
  paid: 'info',
  partially_fulfilled: 'info',
  fulfilled: 'good',
  completed: 'good',
  cancelled: 'quiet',
};

const paymentTones: Record<PaymentStatus, Tone> = {
  created: 'quiet',
  sending: 'wait',
  requires_action: 'wait',
  authorised: 'info',
  captured: 'good',
  partially_refunded: 'quiet',
  refunded: 'quiet',
  declined: 'bad',
  voided: 'quiet',
  unknown: 'bad',
};

const productTones: Record<ProductStatus, Tone> = { active: 'good', draft: 'wait', archived: 'quiet' };

const returnTones: Record<ReturnStatus, Tone> = {
  requested: 'wait',
  approved: 'info',
  received: 'good',
  rejected: 'quiet',
  cancelled: 'quiet',
};

const refundTones: Record<Refund['state'], [word: string, Tone]> = {
  promised: ['on_its_way', 'wait'],
  accepted: ['on_its_way', 'wait'],
  done: ['refunded', 'good'],
  failed: ['failed', 'bad'],
};

export type PromotionState = 'active' | 'off' | 'scheduled' | 'ended' | 'used_up';

const promotionTones: Record<PromotionState, Tone> = {
  active: 'good',
  off: 'quiet',
  scheduled: 'wait',
  ended: 'quiet',
  used_up: 'quiet',
};

/** A status in words, with a dot whose colour says the same again. */
function Status({ code, tone }: { code: string; tone: Tone }) {
  return (
    <span className={classes.status} data-tone={tone}>
      {humanise(code)}
    </span>
  );
}

// A status this version does not know yet is shown as it is, quietly.
export const OrderStatusLabel = ({ status }: { status: OrderStatus }) => (
  <Status code={status} tone={(orderTones as Partial<typeof orderTones>)[status] ?? 'quiet'} />
);

export const PaymentStatusLabel = ({ status }: { status: PaymentStatus | '' }) =>
  status ? (
    <Status code={status} tone={(paymentTones as Partial<typeof paymentTones>)[status] ?? 'quiet'} />
  ) : (
    <Status code="not_tried" tone="quiet" />
  );

export const ProductStatusLabel = ({ status }: { status: ProductStatus }) => (
  <Status code={status} tone={(productTones as Partial<typeof productTones>)[status] ?? 'quiet'} />
);

export const ReturnStatusLabel = ({ status }: { status: ReturnStatus }) => (
  <Status code={status} tone={(returnTones as Partial<typeof returnTones>)[status] ?? 'quiet'} />
);

export const RefundStatusLabel = ({ state }: { state: Refund['state'] }) => {
  const [word, tone] = (refundTones as Partial<typeof refundTones>)[state] ?? [state, 'quiet' as const];
  return <Status code={word} tone={tone} />;
};

export const PromotionStateLabel = ({ state }: { state: PromotionState }) => (
  <Status code={state} tone={promotionTones[state]} />
);
