import { Anchor, Button, Group, Text } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useState } from 'react';
import type { Fulfilment, Order } from '../api/types';
import { Card } from '../components/card';
import { DayAndTime } from '../components/time';
import { EditTracking } from './fulfil';
import classes from './order.module.css';

/** What went out, and how it can be followed. */
export function Parcels({ order }: { order: Order }) {
  const [editing, setEditing] = useState<Fulfilment | null>(null);
  if (order.fulfilments.length === 0) return null;
  return (
    <Card title="Parcels" flush>
      <ul className={classes.payments}>
        {order.fulfilments.map((parcel) => (
          <li key={parcel.id} className={classes.payment}>
            <div>
              <Text size="sm" fw={500} component="div">
                <ParcelName parcel={parcel} />
              </Text>
              {parcel.lines.map((line) => (
                <Text key={line.line_id} size="sm">
                  {line.quantity} × {order.lines.find((l) => l.id === line.line_id)?.title ?? 'Item'}
                </Text>
              ))}
              <Text size="xs" c="dimmed">
                <DayAndTime at={parcel.created_at} />
              </Text>
            </div>
            <Button
              size="compact-sm"
              variant="subtle"
              className={classes.aside}
              onClick={() => {
                setEditing(parcel);
              }}
            >
              {parcel.tracking ? 'Edit tracking' : 'Add tracking'}
            </Button>
          </li>
        ))}
      </ul>
      {editing && (
        <EditTracking
          order={order}
          parcel={editing}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
    </Card>
  );
}

function ParcelName({ parcel }: { parcel: Fulfilment }) {
  const name = [parcel.carrier, parcel.tracking].filter(Boolean).join(' ') || 'Without tracking';
  if (!parcel.tracking_url) return name;
  return (
    <Anchor href={parcel.tracking_url} target="_blank" rel="noopener noreferrer" size="sm" fw={500}>
      <Group gap={4} component="span">
        {name}
        <IconExternalLink size={14} aria-hidden />
      </Group>
    </Anchor>
  );
}
