import type { OrderStatus, PaymentStatus, ProductStatus } from '../api/types';
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
