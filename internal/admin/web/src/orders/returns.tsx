import {
  Button,
  Checkbox,
  Group,
  NativeSelect,
  NumberInput,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import { type Order, type Return, returnReasons, type ReturnReason } from '../api/types';
import { Card } from '../components/card';
import { ReturnStatusLabel } from '../components/status';
import { DayAndTime } from '../components/time';
import { formatMoney, parseMoney } from '../format/money';
import { humanise } from '../format/words';
import { ActionDialog, type DialogProps } from './action-dialog';
import { CountLines, LineName } from './count-lines';
import classes from './order.module.css';
import { piecesOf, returnable, sumOf, type Counts } from './pieces';

type WithReturn = DialogProps<Order> & { ret: Return };

/** The goods of an order that come back, and what is to be done about them. */
export function Returns({ order }: { order: Order }) {
  const [opened, setOpened] = useState<{
    ret: Return;
    what: 'approve' | 'reject' | 'cancel' | 'receive';
  } | null>(null);
  if (order.returns.length === 0) return null;
  const close = () => {
    setOpened(null);
  };
  return (
    <Card title="Returns" flush>
      <ul className={classes.payments}>
        {order.returns.map((ret) => (
          <li key={ret.id} className={classes.item}>
            <Group justify="space-between" gap="xs">
              <Text size="sm" fw={500}>
                {humanise(ret.reason)}
              </Text>
              <Text size="sm" component="div">
                <ReturnStatusLabel status={ret.status} />
              </Text>
            </Group>
            {ret.lines.map((line) => (
              <Text key={line.line_id} size="sm">
                {pieceText(order, ret, line)}
              </Text>
            ))}
            {ret.exchange.length > 0 && (
              <Text size="sm">
                Wanted instead: {ret.exchange.map((w) => `${w.quantity} × ${w.sku ?? 'article'}`).join(', ')}
              </Text>
            )}
            {ret.note && (
              <Text size="sm" c="dimmed">
                “{ret.note}”
              </Text>
            )}
            <Text size="xs" c="dimmed">
              <DayAndTime at={ret.created_at} />
              {ret.exchange_order_id && (
                <>
                  {' · '}
                  <Link to={`/orders/${ret.exchange_order_id}`}>Exchange order</Link>
                </>
              )}
            </Text>
            <Steps
              ret={ret}
              onChoose={(what) => {
                setOpened({ ret, what });
              }}
            />
          </li>
        ))}
      </ul>
      {opened?.what === 'receive' && <Receive order={order} ret={opened.ret} onClose={close} />}
      {opened && opened.what !== 'receive' && (
        <Decide order={order} ret={opened.ret} decision={opened.what} onClose={close} />
      )}
    </Card>
  );
}

type Step = 'approve' | 'reject' | 'cancel' | 'receive';

function Steps({ ret, onChoose }: { ret: Return; onChoose: (step: Step) => void }) {
  const button = (step: Step, label: string, primary = false) => (
    <Button
      size="xs"
      variant={primary ? 'filled' : 'default'}
      onClick={() => {
        onChoose(step);
      }}
    >
      {label}
    </Button>
  );
  if (ret.status === 'requested') {
    return (
      <Group gap="xs" mt={6}>
        {button('approve', 'Accept the return', true)}
        {button('reject', 'Reject')}
      </Group>
    );
  }
  if (ret.status === 'approved') {
    return (
      <Group gap="xs" mt={6}>
        {button('receive', 'Receive the goods', true)}
        {button('reject', 'Reject')}
        {button('cancel', 'Does not come')}
      </Group>
    );
  }
  return null;
}

function pieceText(order: Order, ret: Return, line: Return['lines'][number]): string {
  const title = order.lines.find((l) => l.id === line.line_id)?.title ?? 'Item';
  if (ret.status !== 'received') return `${line.quantity} × ${title}`;
  const shelf =
    line.restocked_quantity === line.received_quantity
      ? 'back in stock'
      : line.restocked_quantity === 0
        ? 'not restocked'
        : `${line.restocked_quantity} back in stock`;
  return line.received_quantity === 0
    ? `${title}: nothing arrived`
    : `${line.received_quantity} × ${title}, ${shelf}`;
}

/** Begins a return for a shopper; what staff begin is accepted by that. */
export function BeginReturn({ order, onClose }: DialogProps<Order>) {
  const lines = order.lines.filter((line) => returnable(order, line) > 0);
  const only = lines.length === 1 ? lines[0] : undefined;
  const [counts, setCounts] = useState<Counts>(only ? { [only.id]: returnable(order, only) } : {});
  const [reason, setReason] = useState<ReturnReason>('changed_mind');
  const [note, setNote] = useState('');
  const begin = useOrderAction(
    order.id,
    () => api.createReturn(order.id, { lines: piecesOf(counts), reason, note: note.trim() }),
    'The return is accepted',
  );
  return (
    <ActionDialog
      title={`Return for order ${order.number}`}
      confirm="Accept the return"
      ready={sumOf(counts) > 0}
      pending={begin.isPending}
      error={begin.error}
      onClose={onClose}
      onConfirm={() => {
        begin.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">What comes back? Money goes back when the goods are received.</Text>
      <CountLines
        lines={lines}
        counts={counts}
        onChange={setCounts}
        max={(line) => returnable(order, line)}
      />
      <NativeSelect
        label="Reason"
        data={returnReasons.map((value) => ({ value, label: humanise(value) }))}
        value={reason}
        onChange={(e) => {
          setReason(e.currentTarget.value as ReturnReason);
        }}
      />
      <NoteField value={note} onChange={setNote} />
    </ActionDialog>
  );
}

const decisions = {
  approve: { title: 'Accept the return?', confirm: 'Accept the return', done: 'The return is accepted' },
  reject: { title: 'Reject the return?', confirm: 'Reject the return', done: 'The return is rejected' },
  cancel: { title: 'End the return?', confirm: 'End the return', done: 'The return is ended' },
} as const;

function Decide({ order, ret, decision, onClose }: WithReturn & { decision: keyof typeof decisions }) {
  const [note, setNote] = useState('');
  const { title, confirm, done } = decisions[decision];
  const decide = useOrderAction(
    order.id,
    () => api.decideReturn(order.id, ret.id, decision, note.trim()),
    done,
  );
  return (
    <ActionDialog
      title={title}
      confirm={confirm}
      danger={decision === 'reject'}
      pending={decide.isPending}
      error={decide.error}
      onClose={onClose}
      onConfirm={() => {
        decide.mutate(undefined, { onSuccess: onClose });
      }}
    >
      {decision === 'cancel' ? (
        <Text size="sm">The goods stay where they are, and no money goes back.</Text>
      ) : (
        <NoteField value={note} onChange={setNote} />
      )}
    </ActionDialog>
  );
}

function NoteField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <Textarea
      label="Note"
      description="Optional; the customer reads it on the page of the order."
      autosize
      maxLength={1000}
      value={value}
      onChange={(e) => {
        onChange(e.currentTarget.value);
      }}
    />
  );
}

/** Takes goods back: what arrived, what of it can be sold again, and what is given for it. */
function Receive({ order, ret, onClose }: WithReturn) {
  const { currency } = order;
  const [lines, setLines] = useState(() =>
    ret.lines.map(({ line_id, quantity }) => ({ line_id, quantity, restock: ret.reason !== 'damaged' })),
  );
  const [shipping, setShipping] = useState(false);
  const [moneyOnly, setMoneyOnly] = useState(false);
  const [kept, setKept] = useState('');
  const [note, setNote] = useState('');
  const deduction = kept.trim() === '' ? undefined : parseMoney(kept, currency);
  const receive = useOrderAction(
    order.id,
    () =>
      api.receiveReturn(order.id, ret.id, {
        lines,
        refund_shipping: shipping,
        money_only: moneyOnly,
        ...(deduction && { deduction }),
        ...(note.trim() && { note: note.trim() }),
      }),
    (after) => {
      const refund = after.refunds.find((r) => r.return_id === ret.id);
      return refund
        ? `The goods are received; ${formatMoney(refund.amount)} go back to the customer`
        : 'The goods are received';
    },
  );
  const change = (id: string, to: Partial<(typeof lines)[number]>) => {
    setLines(lines.map((line) => (line.line_id === id ? { ...line, ...to } : line)));
  };
  return (
    <ActionDialog
      title="Receive the goods"
      confirm="Receive and refund"
      ready={deduction !== null}
      pending={receive.isPending}
      error={receive.error}
      onClose={onClose}
      onConfirm={() => {
        receive.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Text size="sm">What arrived goes back to the customer at what was paid for it, tax included.</Text>
      <ul className={classes.counts}>
        {ret.lines.map(({ line_id: id, quantity: announced }) => {
          const line = order.lines.find((l) => l.id === id);
          const now = lines.find((l) => l.line_id === id);
          if (!line || !now) return null;
          return (
            <li key={id} className={classes.count}>
              <LineName line={line} />
              <NumberInput
                aria-label={`Arrived of ${line.title}`}
                w={84}
                min={0}
                max={announced}
                allowDecimal={false}
                clampBehavior="strict"
                value={now.quantity}
                onChange={(value) => {
                  change(id, { quantity: typeof value === 'number' ? value : 0 });
                }}
              />
              <Text size="sm" c="dimmed" className="figures">
                of {announced}
              </Text>
              <Checkbox
                className={classes.restock}
                label="Put back into stock"
                aria-label={`Put ${line.title} back into stock`}
                checked={now.restock}
                onChange={(e) => {
                  change(id, { restock: e.currentTarget.checked });
                }}
              />
            </li>
          );
        })}
      </ul>
      <Stack gap="xs">
        {order.totals.shipping.amount > 0 && (
          <Checkbox
            label={`Refund the shipping too (${formatMoney(order.totals.shipping)})`}
            checked={shipping}
            onChange={(e) => {
              setShipping(e.currentTarget.checked);
            }}
          />
        )}
        {ret.exchange.length > 0 && (
          <Checkbox
            label="Give the money back instead of the exchange"
            checked={moneyOnly}
            onChange={(e) => {
              setMoneyOnly(e.currentTarget.checked);
            }}
          />
        )}
      </Stack>
      <TextInput
        label={`Keep for wear, in ${currency}`}
        placeholder="Nothing"
        inputMode="decimal"
        value={kept}
        error={deduction === null ? `Not an amount in ${currency}` : undefined}
        onChange={(e) => {
          setKept(e.currentTarget.value);
        }}
      />
      <NoteField value={note} onChange={setNote} />
    </ActionDialog>
  );
}
