import { Skeleton, Stack, Text } from '@mantine/core';
import { useMe, useTimeline } from '../api/queries';
import type { Order, TimelineEntry } from '../api/types';
import { Card } from '../components/card';
import { ErrorState } from '../components/states';
import { RelativeTime } from '../components/time';
import { formatMoney } from '../format/money';
import { actorText, humanise } from '../format/words';
import classes from './order.module.css';

/** What happened to an order, the latest first. */
export function History({ order }: { order: Order }) {
  const timeline = useTimeline(order);
  return (
    <Card title="Timeline">
      {timeline.data ? (
        <Entries entries={timeline.data} />
      ) : timeline.isError ? (
        <ErrorState error={timeline.error} onRetry={timeline.refetch} />
      ) : (
        <Stack gap="sm" aria-busy>
          <Skeleton height={14} />
          <Skeleton height={14} width="70%" />
        </Stack>
      )}
    </Card>
  );
}

function Entries({ entries }: { entries: TimelineEntry[] }) {
  const me = useMe().data?.id;
  const latestFirst = entries.toReversed().toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return (
    <ol className={classes.history} reversed>
      {latestFirst.map((entry, n) => (
        <li key={n} className={classes.entry}>
          <Text size="sm" className={classes.happened}>
            {titles[entry.kind] ?? humanise(entry.kind)}
            {entry.amount && <span className="figures"> {formatMoney(entry.amount)}</span>}
            {entry.detail && (
              <Text span size="sm" c="dimmed">
                {' · '}
                {/^[a-z_ ]+$/.test(entry.detail) ? humanise(entry.detail) : entry.detail}
              </Text>
            )}
          </Text>
          {entry.note && (
            <Text size="sm" className={classes.note}>
              {entry.note}
            </Text>
          )}
          <Text size="xs" c="dimmed">
            <RelativeTime at={entry.at} />
            {entry.actor && ` · ${actorText(entry.actor, me)}`}
          </Text>
        </li>
      ))}
    </ol>
  );
}

/** What happened, in words; kinds that this version does not know are shown as they are. */
const titles: Record<string, string> = {
  fulfilled: 'Parcel sent',
  tracking_changed: 'Tracking changed',
  lines_cancelled: 'Items taken off',
  return_requested: 'Return asked for',
  return_approved: 'Return accepted',
  return_received: 'Returned goods received',
  refund_promised: 'Refund begun',
  refunded: 'Refunded',
  mail: 'Mail sent',
  document: 'Document issued',
  reason: 'Reason for cancelling',
};
