import { Button, Group, Stack, Text } from '@mantine/core';
import { IconPlus, IconTag } from '@tabler/icons-react';
import type { DataTableColumn } from 'mantine-datatable';
import { Link } from 'react-router';
import { usePromotions } from '../api/queries';
import type { Promotion } from '../api/types';
import { ListTable } from '../components/list-table';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { EmptyState } from '../components/states';
import { PromotionStateLabel } from '../components/status';
import { stateOf, usesText, valueText } from './promotion';

const linkOf = (promotion: Promotion) => `/promotions/${promotion.id}`;

const columns: DataTableColumn<Promotion>[] = [
  {
    accessor: 'title',
    title: 'Promotion',
    ellipsis: true,
    width: '34%',
    render: (promotion) => (
      <Link to={linkOf(promotion)} className="link">
        <Text span size="sm" fw={500}>
          {promotion.title}
        </Text>
      </Link>
    ),
  },
  {
    accessor: 'active',
    title: 'Status',
    render: (promotion) => <PromotionStateLabel state={stateOf(promotion, new Date())} />,
  },
  { accessor: 'kind', title: 'Gives', noWrap: true, render: valueText },
  { accessor: 'codes', title: 'Codes', ellipsis: true, width: '18%', render: codesText },
  { accessor: 'uses', title: 'Used', textAlign: 'right', cellsClassName: 'figures', render: usesText },
];

/** All promotions, the newest first. */
export function PromotionsPage() {
  usePageTitle('Promotions');
  const promotions = usePromotions();
  return (
    <>
      <PageHeader
        title="Promotions"
        actions={
          <Button component={Link} to="/promotions/new" leftSection={<IconPlus size={16} aria-hidden />}>
            New promotion
          </Button>
        }
      />
      <ListTable
        label="Promotions"
        query={promotions}
        columns={columns}
        linkOf={linkOf}
        renderCard={(promotion) => <PromotionCard promotion={promotion} />}
        empty={
          <EmptyState
            icon={<IconTag stroke={1.3} aria-hidden />}
            title="No promotions yet"
            description="Take something off what a cart costs, by a code or by itself."
          />
        }
      />
    </>
  );
}

function codesText({ codes = [] }: Promotion) {
  if (codes.length === 0)
    return (
      <Text span size="sm" c="dimmed">
        Without a code
      </Text>
    );
  return codes.length > 2 ? `${codes.slice(0, 2).join(', ')} and ${codes.length - 2} more` : codes.join(', ');
}

function PromotionCard({ promotion }: { promotion: Promotion }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} size="sm" truncate>
          {promotion.title}
        </Text>
        <Text size="sm" component="div">
          <PromotionStateLabel state={stateOf(promotion, new Date())} />
        </Text>
      </Group>
      <Group justify="space-between" wrap="nowrap" fz="sm">
        <Text size="sm">{valueText(promotion)}</Text>
        <Text size="sm" className="figures">
          {usesText(promotion)}
        </Text>
      </Group>
      <Text size="xs" c="dimmed" truncate component="div">
        {codesText(promotion)}
      </Text>
    </Stack>
  );
}
