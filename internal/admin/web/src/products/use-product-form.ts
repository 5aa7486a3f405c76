import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError } from '../api/client';
import { api } from '../api/endpoints';
import { keys } from '../api/queries';
import type { Product, ProductPatch } from '../api/types';
import { type Edits, hasErrors, isDirty, noEdits, patchOf, priceChanges, type PriceEdit } from './draft';

/**
 * The form over a product: what was typed, whether it can be saved, and the saving.
 *
 * While something is typed, `base` stays the version the typing began with, even when the product is read again in
 * the background: its number goes into If-Match, so that a change by somebody else is noticed and not written over.
 */
export function useProductForm(product: Product) {
  const client = useQueryClient();
  const [base, setBase] = useState(product);
  const [edits, setEdits] = useState<Edits>(noEdits);
  const dirty = isDirty(base, edits);
  if (!dirty && base !== product) setBase(product);

  const save = useMutation({
    mutationFn: async () => {
      const patch = patchOf(base, edits);
      const prices = priceChanges(base, edits);
      if (Object.keys(patch).length > 0) {
        const saved = await api.patchProduct(base.id, base.version, patch);
        // From here on the saved fields are no edits any more, even when a price fails below.
        client.setQueryData(keys.product(base.id), saved);
        setBase(saved);
        setEdits(({ prices }) => ({ prices }));
      }
      for (const { variant, price, compareAt } of prices) await api.setPrice(variant.id, price, compareAt);
    },
    onSuccess: async () => {
      await accept();
      notifications.show({ message: 'Saved', color: 'green' });
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.products() }),
  });

  /** Reads the product as it is now and lets go of everything typed. */
  const accept = async () => {
    setBase(await reread());
    setEdits(noEdits);
  };

  /** Reads the product as it is now and keeps what was typed on top of it. */
  const rebase = async () => {
    setBase(await reread());
    save.reset();
  };

  const reread = () =>
    client.query({
      queryKey: keys.product(product.id),
      queryFn: ({ signal }) => api.product(product.id, signal),
      staleTime: 0,
    });

  return {
    base,
    edits,
    dirty,
    valid: !hasErrors(base, edits),
    saving: save.isPending,
    error: save.error,
    /** True when somebody else saved the product since it was read. */
    conflict: save.error instanceof ApiError && save.error.status === 412,
    edit: (change: ProductPatch) => {
      setEdits((now) => ({ ...now, ...change }));
    },
    editPrices: (ids: string[], change: PriceEdit) => {
      setEdits((now) => ({
        ...now,
        prices: {
          ...now.prices,
          ...Object.fromEntries(ids.map((id) => [id, { ...now.prices[id], ...change }])),
        },
      }));
    },
    save: () => {
      save.mutate();
    },
    discard: () => {
      save.reset();
      setBase(product);
      setEdits(noEdits);
    },
    takeTheirs: async () => {
      await accept();
      save.reset();
    },
    rebase,
  };
}

export type ProductForm = ReturnType<typeof useProductForm>;
