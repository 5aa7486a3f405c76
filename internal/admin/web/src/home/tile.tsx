import { Paper, Text } from '@mantine/core';
import { Link } from 'react-router';
import classes from './home.module.css';

interface TileProps {
  label: string;
  value: string;
  note: string;
  /** Where the number can be looked at. */
  to?: string;
}

/** One number of the day. */
export function Tile({ label, value, note, to }: TileProps) {
  const content = (
    <>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text className={classes.number}>{value}</Text>
      <Text size="xs" c="dimmed">
        {note}
      </Text>
    </>
  );
  if (!to) {
    return (
      <Paper withBorder radius="lg" className={classes.tile}>
        {content}
      </Paper>
    );
  }
  return (
    <Paper component={Link} to={to} withBorder radius="lg" className={classes.tile} data-link>
      {content}
    </Paper>
  );
}
