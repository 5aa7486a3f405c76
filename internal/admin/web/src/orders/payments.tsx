import { Button, Text } from '@mantine/core';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Order, Payment, Refund } from '../api/types';
import { Card } from '../components/card';
import { MoneyText } from '../components/money-text';
import { PaymentStatusLabel, RefundStatusLabel } from '../components/status';
import { DayAndTime } from '../components/time';
import { formatMoney } from '../format/money';
import { humanise } from '../format/words';
import classes from './order.module.css';

/** Every attempt to pay, with what was taken and given back. */
export function Payments({ order }: { order: Order }) {
  const { payments, refunds } = order;
  if (payments.length === 0) {
    return (
      <Card title="Payments">
        <Text size="sm" c="dimmed">
          No payment was tried.
        </Text>
      </Card>
    );
  }
  return (
    <Card title="Payments" flush>
      <ul className={classes.payments}>
        {payments.map((payment) => (
          <li key={payment.id} className={classes.payment}>
            <div>
              <Text size="sm" fw={500}>
                {providerName(payment.provider)}
                {payment.method && ` · ${humanise(payment.method)}`}
              </Text>
              <Text size="xs" c="dimmed">
                <DayAndTime at={payment.created_at} />
              </Text>
              {payment.status === 'unknown' && (
                <Text size="xs" c="dimmed">
                  The gateway has not answered; the shop keeps asking until it does.
                </Text>
              )}
            </div>
            <Text size="sm" ta="right" component="div">
              <PaymentStatusLabel status={payment.status} />
              <div>
                <MoneyText value={payment.amount} />
              </div>
              <Text size="xs" c="dimmed">
                {amountsOf(payment)}
              </Text>
            </Text>
          </li>
        ))}
        {refunds.map((refund) => (
          <RefundItem key={refund.id} order={order} refund={refund} />
        ))}
      </ul>
    </Card>
  );
}

/** The reason of what stands among the refunds because it never came. */
const notCaptured = 'not_captured';

function RefundItem({ order, refund }: { order: Order; refund: Refund }) {
  const retry = useOrderAction(
    order.id,
    () => api.retryRefund(order.id, refund.id),
    'The refund is asked for once more',
  );
  return (
    <li className={classes.payment}>
      <div>
        <Text size="sm" fw={500}>
          {refund.reason === notCaptured ? 'Not captured' : `Refund · ${humanise(refund.reason)}`}
        </Text>
        <Text size="xs" c="dimmed">
          <DayAndTime at={refund.created_at} />
        </Text>
        {refund.state === 'failed' && (
          <>
            <Text size="xs" c="dimmed">
              The gateway would not give it back; it is still owed.
            </Text>
            <Button
              size="compact-sm"
              variant="default"
              mt={4}
              loading={retry.isPending}
              onClick={() => {
                retry.mutate(undefined);
              }}
            >
              Try again
            </Button>
          </>
        )}
      </div>
      <Text size="sm" ta="right" component="div">
        {refund.reason !== notCaptured && <RefundStatusLabel state={refund.state} />}
        <div>
          <MoneyText value={{ ...refund.amount, amount: -refund.amount.amount }} />
        </div>
      </Text>
    </li>
  );
}

function amountsOf({ amount, captured, refunded }: Payment): string {
  const parts: string[] = [];
  if (captured.amount > 0 && captured.amount !== amount.amount)
    parts.push(`${formatMoney(captured)} captured`);
  if (refunded.amount > 0) parts.push(`${formatMoney(refunded)} refunded`);
  return parts.join(', ');
}

function providerName(provider: string): string {
  const names: Record<string, string> = { paypal: 'PayPal', test: 'Test gateway' };
  return names[provider] ?? humanise(provider);
}
