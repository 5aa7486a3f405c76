import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../api/client';
import { api } from '../api/endpoints';
import { keys } from '../api/queries';
import type { Promotion } from '../api/types';
import { type Draft, draftOf, errorsOf, inputOf, newDraft, unchanged } from './draft';

/**
 * The form over a promotion, null for a new one. While something is typed, `base` stays the version the typing began with:
 * its number goes into If-Match, so that a change by somebody else is noticed and not written over.
 */
export function usePromotionForm(promotion: Promotion | null, onSaved: (saved: Promotion) => void) {
  const client = useQueryClient();
  const [base, setBase] = useState(promotion);
  const [edits, setEdits] = useState<Partial<Draft>>({});
  const [tried, setTried] = useState(false);
  const dirty = Object.keys(edits).length > 0;
  if (!dirty && base !== promotion) setBase(promotion);
  const read = base ? draftOf(base) : newDraft;
  const draft = { ...read, ...edits };
  const errors = errorsOf(draft);

  const write = useMutation({
    mutationFn: (input: ReturnType<typeof inputOf>) =>
      base ? api.replacePromotion(base.id, base.version, input) : api.createPromotion(input),
    onSuccess: (saved) => {
      notifications.show({ message: base ? 'Saved' : 'The promotion is made', color: 'green' });
      client.setQueryData(keys.promotion(saved.id), saved);
      setBase(saved);
      setEdits({});
      setTried(false);
      onSaved(saved);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.promotions }),
  });

  return {
    base,
    draft,
    dirty,
    /** What is wrong, once somebody has tried to save; before that a form being filled in complains of nothing. */
    errors: tried ? errors : {},
    saving: write.isPending,
    error: write.error,
    /** True when somebody else saved the promotion since it was read. */
    conflict: write.error instanceof ApiError && write.error.status === 412,
    edit: (change: Partial<Draft>) => {
      setEdits((now) => ({ ...now, ...change }));
    },
    save: () => {
      setTried(true);
      if (Object.keys(errors).length === 0) write.mutate(inputOf(draft, base));
    },
    /** Changes nothing but whether it is applied. */
    switchTo: (active: boolean) => {
      if (base) write.mutate({ ...unchanged(base), active });
    },
    discard: () => {
      write.reset();
      setEdits({});
      setTried(false);
    },
    /** Reads the promotion as it is now and lets go of everything typed. */
    takeTheirs: async () => {
      if (base) await client.invalidateQueries({ queryKey: keys.promotion(base.id) });
      write.reset();
      setEdits({});
    },
  };
}

export type PromotionForm = ReturnType<typeof usePromotionForm>;
