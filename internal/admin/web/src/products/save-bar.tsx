import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useWindowEvent } from '@mantine/hooks';
import { useBlocker } from 'react-router';
import { messageOf } from '../api/client';
import { StickyBar } from '../components/sticky-bar';
import type { ProductForm } from './use-product-form';

/** Appears when something is not saved. Leaving the page asks first. */
export function SaveBar({ form }: { form: ProductForm }) {
  const { dirty, valid, saving, error, conflict } = form;
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => dirty && currentLocation.pathname !== nextLocation.pathname,
  );
  useWindowEvent('beforeunload', (event) => {
    if (dirty) event.preventDefault();
  });
  if (!dirty) return null;
  return (
    <StickyBar label="Unsaved changes">
      {conflict ? (
        <Conflict form={form} />
      ) : (
        <Stack gap="xs">
          {error && (
            <Alert color="red" role="alert">
              {messageOf(error)}
            </Alert>
          )}
          <Group justify="space-between" gap="sm" wrap="nowrap">
            <Text size="sm" fw={500}>
              {valid ? 'Unsaved changes' : 'Check the marked fields'}
            </Text>
            <Group gap="xs" wrap="nowrap">
              <Button variant="default" onClick={form.discard} disabled={saving}>
                Discard
              </Button>
              <Button onClick={form.save} loading={saving} disabled={!valid}>
                Save
              </Button>
            </Group>
          </Group>
        </Stack>
      )}
      <Modal
        opened={blocker.state === 'blocked'}
        onClose={() => blocker.reset?.()}
        title="Leave without saving?"
      >
        <Stack gap="md">
          <Text size="sm">What you changed on this product is not saved.</Text>
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={() => blocker.reset?.()} data-autofocus>
              Stay
            </Button>
            <Button color="red.9" onClick={() => blocker.proceed?.()}>
              Leave
            </Button>
          </Group>
        </Stack>
      </Modal>
    </StickyBar>
  );
}

function Conflict({ form }: { form: ProductForm }) {
  return (
    <Alert color="yellow" role="alert" title="Somebody else changed this product">
      <Stack gap="sm">
        <Text size="sm">
          It was saved by another person after you opened it. Nothing of yours has been written yet.
        </Text>
        <Group gap="xs">
          <Button variant="default" onClick={() => void form.takeTheirs()}>
            Show theirs, drop mine
          </Button>
          <Button onClick={() => void form.rebase()}>Keep my changes on top</Button>
        </Group>
      </Stack>
    </Alert>
  );
}
