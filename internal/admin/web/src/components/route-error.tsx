import { Button, Center } from '@mantine/core';
import { useRouteError } from 'react-router';
import { EmptyState } from './states';

/** Shown when a page fails to load or to draw; most often its chunk belongs to a version deployed before. */
export function RouteError() {
  const error = useRouteError();
  const reload = () => {
    window.location.reload();
  };
  return (
    <Center mih="60dvh">
      <EmptyState
        heading={1}
        title="This page could not be shown"
        description={
          error instanceof TypeError
            ? 'A new version may have been installed meanwhile, or the connection is down.'
            : 'Something went wrong on this page.'
        }
      >
        <Button onClick={reload}>Load again</Button>
      </EmptyState>
    </Center>
  );
}
