import { Textarea } from '@mantine/core';
import { useState } from 'react';
import { api } from '../api/endpoints';
import { useOrderAction } from '../api/queries';
import type { Order } from '../api/types';
import { ActionDialog, type DialogProps } from './action-dialog';

/** Keeps a note of staff in the timeline. */
export function Note({ order, onClose }: DialogProps<Order>) {
  const [text, setText] = useState('');
  const note = useOrderAction(order.id, () => api.noteOrder(order.id, text.trim()), 'The note is kept');
  return (
    <ActionDialog
      title={`Note about order ${order.number}`}
      confirm="Add the note"
      ready={text.trim() !== ''}
      pending={note.isPending}
      error={note.error}
      onClose={onClose}
      onConfirm={() => {
        note.mutate(undefined, { onSuccess: onClose });
      }}
    >
      <Textarea
        label="Note"
        description="Only staff see it, in the timeline."
        data-autofocus
        autosize
        minRows={3}
        maxLength={2000}
        value={text}
        onChange={(e) => {
          setText(e.currentTarget.value);
        }}
      />
    </ActionDialog>
  );
}
