import { Button, EmptyState as MantineEmptyState, Text } from '@mantine/core';
import { IconListSearch, IconPlugConnectedX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { messageOf, NetworkError, requestIdOf } from '../api/client';
import classes from './states.module.css';

interface ErrorStateProps {
  error: unknown;
  onRetry?: () => unknown;
}

/** Says what went wrong, with the id that finds it in the logs, and offers to try again. */
export function ErrorState({ error, onRetry }: ErrorStateProps) {
  const requestId = requestIdOf(error);
  return (
    <MantineEmptyState
      role="alert"
      py="xl"
      icon={<IconPlugConnectedX stroke={1.3} aria-hidden />}
      title={error instanceof NetworkError ? 'The shop cannot be reached' : 'This could not be loaded'}
      description={messageOf(error)}
    >
      {requestId && (
        <Text size="xs" c="dimmed" ff="monospace">
          Request {requestId}
        </Text>
      )}
      {onRetry && (
        <Button
          variant="default"
          onClick={() => {
            onRetry();
          }}
        >
          Try again
        </Button>
      )}
    </MantineEmptyState>
  );
}

interface EmptyStateProps {
  title: string;
  /** Makes the title a heading of this order, where the page has no other. */
  heading?: 1;
  description?: ReactNode;
  icon?: ReactNode;
  children?: ReactNode;
}

/** Says that there is nothing here, and what would put something here. */
export function EmptyState({ title, heading, description, icon, children }: EmptyStateProps) {
  return (
    <MantineEmptyState
      py="xl"
      icon={icon ?? <IconListSearch stroke={1.3} aria-hidden />}
      title={heading ? <h1 className={classes.title}>{title}</h1> : title}
      description={description}
    >
      {children}
    </MantineEmptyState>
  );
}
