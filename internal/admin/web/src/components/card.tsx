import { Group, Paper, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import classes from './card.module.css';

interface CardProps {
  title?: string;
  /** Shown at the right of the title. */
  aside?: ReactNode;
  /** Takes the height of its neighbours. */
  tall?: boolean;
  /** Lets lists and tables reach the border. */
  flush?: boolean;
  children: ReactNode;
}

/** A titled surface. */
export function Card({ title, aside, flush = false, tall = false, children }: CardProps) {
  const id = useId();
  return (
    <Paper
      component="section"
      withBorder
      radius="lg"
      className={classes.card}
      data-tall={tall || undefined}
      aria-labelledby={title && id}
    >
      {title && (
        <Group justify="space-between" px="md" pt="sm" pb={flush ? 'sm' : 0} gap="xs">
          <Title order={2} id={id}>
            {title}
          </Title>
          {aside}
        </Group>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </Paper>
  );
}
