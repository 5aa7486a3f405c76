import { Button, Center, Loader, Skeleton, Stack, VisuallyHidden } from '@mantine/core';
import { useIntersection, useMediaQuery } from '@mantine/hooks';
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import { DataTable, type DataTableColumn } from 'mantine-datatable';
import 'mantine-datatable/styles.css';
import { type ReactNode, useEffect } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Page } from '../api/types';
import { Card } from './card';
import classes from './list-table.module.css';
import { ErrorState } from './states';

interface ListTableProps<T> {
  query: UseInfiniteQueryResult<InfiniteData<Page<T>>>;
  columns: DataTableColumn<T>[];
  /** The page of one row. */
  linkOf: (record: T) => string;
  /** One row on a phone, the whole of it a link. */
  renderCard: (record: T) => ReactNode;
  empty: ReactNode;
  /** What the rows are, for those who cannot see them: "Orders". */
  label: string;
}

/**
 * A list read page by page: a table where there is room, cards on a phone. Further pages are read when the end comes
 * into view, and by the button when it does not.
 */
export function ListTable<T extends { id: string }>(props: ListTableProps<T>) {
  const { query, empty, label } = props;
  const phone = useMediaQuery('(max-width: 47.99em)', undefined, { getInitialValueInEffect: false });
  const records = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Card flush>
      {query.isPending ? (
        <ListSkeleton label={label} />
      ) : records.length === 0 ? (
        query.isError ? (
          <ErrorState error={query.error} onRetry={query.refetch} />
        ) : (
          empty
        )
      ) : (
        <div
          className={query.isPlaceholderData ? classes.stale : undefined}
          aria-busy={query.isPlaceholderData}
        >
          {phone ? <Cards {...props} records={records} /> : <Rows {...props} records={records} />}
          <More query={query} />
        </div>
      )}
    </Card>
  );
}

type WithRecords<T> = ListTableProps<T> & { records: T[] };

function Rows<T extends { id: string }>({ records, columns, linkOf, label }: WithRecords<T>) {
  const navigate = useNavigate();
  return (
    <DataTable
      aria-label={label}
      records={records}
      columns={columns}
      idAccessor="id"
      highlightOnHover
      verticalSpacing={7}
      horizontalSpacing="md"
      fz="sm"
      backgroundColor="transparent"
      borderColor="var(--line)"
      rowBorderColor="var(--line)"
      classNames={{ header: classes.head }}
      rowClassName={classes.row}
      // For the mouse; the keyboard uses the link in the row.
      onRowClick={({ event, record }) => {
        if (event.defaultPrevented || (event.target as Element).closest('a, button, input')) return;
        if (event.metaKey || event.ctrlKey) window.open(`/admin${linkOf(record)}`, '_blank', 'noopener');
        else void navigate(linkOf(record));
      }}
    />
  );
}

function Cards<T extends { id: string }>({ records, linkOf, renderCard, label }: WithRecords<T>) {
  return (
    <ul className={classes.cards} aria-label={label}>
      {records.map((record) => (
        <li key={record.id}>
          <Link to={linkOf(record)} className={classes.card}>
            {renderCard(record)}
          </Link>
        </li>
      ))}
    </ul>
  );
}

function More<T>({ query }: Pick<ListTableProps<T>, 'query'>) {
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage, error } = query;
  const { ref, entry } = useIntersection({ rootMargin: '400px' });
  const near = entry?.isIntersecting ?? false;
  useEffect(() => {
    if (near && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [near, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  if (isFetchNextPageError) return <ErrorState error={error} onRetry={fetchNextPage} />;
  if (!hasNextPage) return null;
  return (
    <Center ref={ref} p="sm" className={classes.more}>
      <Button variant="subtle" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
        Load more
      </Button>
    </Center>
  );
}

function ListSkeleton({ label }: { label: string }) {
  return (
    <Stack gap="xs" p="md" aria-busy>
      <VisuallyHidden role="status">Loading {label.toLowerCase()}</VisuallyHidden>
      {Array.from({ length: 10 }, (_, n) => (
        <Skeleton key={n} height={32} opacity={1 - n * 0.08} />
      ))}
    </Stack>
  );
}

/** Shown where a page waits for its data. */
export function PageLoader() {
  return (
    <Center mih="40dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}
