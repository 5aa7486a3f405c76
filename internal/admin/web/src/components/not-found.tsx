import { Button } from '@mantine/core';
import { Link } from 'react-router';
import { usePageTitle } from './page-title';
import { EmptyState } from './states';

/** For addresses that name no page, and for things that are gone. */
export function NotFound({ what = 'page' }: { what?: string }) {
  usePageTitle('Not found');
  return (
    <EmptyState
      heading={1}
      title={`There is no such ${what}`}
      description="It may have been removed, or the address is mistyped."
    >
      <Button component={Link} to="/" variant="default">
        Back to home
      </Button>
    </EmptyState>
  );
}
