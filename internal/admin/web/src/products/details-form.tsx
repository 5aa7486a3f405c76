import { Stack, Textarea, TextInput } from '@mantine/core';
import { ApiError } from '../api/client';
import { Card } from '../components/card';
import type { ProductForm } from './use-product-form';

/** Title and description. */
export function DetailsForm({ form: { base, edits, edit, error } }: { form: ProductForm }) {
  const title = edits.title ?? base.title;
  const refused = (pointer: string) => (error instanceof ApiError ? error.field(pointer) : undefined);
  return (
    <Card title="Details">
      <Stack gap="md">
        <TextInput
          label="Title"
          value={title}
          maxLength={300}
          error={title.trim() === '' ? 'A product needs a title' : refused('/title')}
          onChange={(e) => {
            edit({ title: e.currentTarget.value });
          }}
        />
        <Textarea
          label="Description"
          autosize
          minRows={5}
          maxRows={18}
          value={edits.description ?? base.description}
          error={refused('/description')}
          onChange={(e) => {
            edit({ description: e.currentTarget.value });
          }}
        />
      </Stack>
    </Card>
  );
}
