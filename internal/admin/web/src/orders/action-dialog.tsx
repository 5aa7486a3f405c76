import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import type { ReactNode, SubmitEvent } from 'react';
import { messageOf } from '../api/client';

interface ActionDialogProps {
  title: string;
  confirm: string;
  keep?: string;
  danger?: boolean;
  /** False while the form does not say enough. */
  ready?: boolean;
  pending: boolean;
  error: unknown;
  onClose: () => void;
  onConfirm: () => void;
  children: ReactNode;
}

/** Asks before something is done with an order. It stays open, with what was typed, until that has succeeded. */
export function ActionDialog(props: ActionDialogProps) {
  const {
    title,
    confirm,
    keep = 'Not now',
    danger,
    ready = true,
    pending,
    error,
    onClose,
    onConfirm,
    children,
  } = props;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (ready) onConfirm();
  };
  return (
    <Modal opened onClose={onClose} title={title}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {children}
          {error !== null && (
            <Alert color="red" role="alert">
              {messageOf(error)}
            </Alert>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              {keep}
            </Button>
            <Button type="submit" color={danger ? 'red.9' : undefined} loading={pending} disabled={!ready}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What every dialog about an order is given. */
export interface DialogProps<T> {
  order: T;
  onClose: () => void;
}
