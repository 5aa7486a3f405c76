import { Text } from '@mantine/core';
import { useMe } from '../api/queries';
import type { HistoryEntry } from '../api/types';
import { Card } from '../components/card';
import { RelativeTime } from '../components/time';
import { actorText, humanise } from '../format/words';
import classes from './order.module.css';

/** What happened to an order, the latest first. */
export function History({ entries }: { entries: HistoryEntry[] }) {
  const me = useMe().data?.id;
  const latestFirst = entries.toReversed().toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return (
    <Card title="Timeline">
      {latestFirst.length === 0 ? (
        <Text size="sm" c="dimmed">
          Nothing yet.
        </Text>
      ) : (
        <ol className={classes.history} reversed>
          {latestFirst.map((entry, n) => (
            <li key={n} className={classes.entry}>
              <Text size="sm">{humanise(entry.kind)}</Text>
              {entry.detail && (
                <Text size="sm" c="dimmed">
                  {entry.detail}
                </Text>
              )}
              <Text size="xs" c="dimmed">
                <RelativeTime at={entry.at} />
                {entry.actor && ` · ${actorText(entry.actor, me)}`}
              </Text>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}
