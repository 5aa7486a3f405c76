import { Alert, Button, Grid, Group, Stack, Text } from '@mantine/core';
import { useWindowEvent } from '@mantine/hooks';
import { useNavigate, useParams } from 'react-router';
import { ApiError, messageOf } from '../api/client';
import { useOverview, usePromotion, usePromotionDays } from '../api/queries';
import type { Money, Promotion, PromotionDay } from '../api/types';
import { Card } from '../components/card';
import { PageLoader } from '../components/list-table';
import { MoneyText } from '../components/money-text';
import { NotFound } from '../components/not-found';
import { PageHeader } from '../components/page-header';
import { usePageTitle } from '../components/page-title';
import { ErrorState } from '../components/states';
import { PromotionStateLabel } from '../components/status';
import { StickyBar } from '../components/sticky-bar';
import { countOf } from '../format/words';
import { stateOf, usesText } from './promotion';
import { Basics, Conditions, Limits, Timing } from './promotion-fields';
import { type PromotionForm, usePromotionForm } from './use-promotion-form';

/** One promotion, to read and to change. */
export function PromotionPage() {
  const { id = '' } = useParams();
  const promotion = usePromotion(id);
  usePageTitle(promotion.data?.title ?? 'Promotion');
  if (promotion.isPending) return <PageLoader />;
  if (promotion.data) return <PromotionView key={id} promotion={promotion.data} />;
  if (promotion.error instanceof ApiError && promotion.error.status === 404)
    return <NotFound what="promotion" />;
  return <ErrorState error={promotion.error} onRetry={promotion.refetch} />;
}

/** A promotion that is being made. */
export function NewPromotionPage() {
  usePageTitle('New promotion');
  return <PromotionView promotion={null} />;
}

function PromotionView({ promotion }: { promotion: Promotion | null }) {
  const navigate = useNavigate();
  const form = usePromotionForm(promotion, (saved) => {
    if (!promotion) void navigate(`/promotions/${saved.id}`, { replace: true });
  });
  useWindowEvent('beforeunload', (event) => {
    if (form.dirty) event.preventDefault();
  });
  const currency = useOverview().data?.currency;
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        form.save();
      }}
    >
      <PageHeader
        back={{ to: '/promotions', label: 'Promotions' }}
        title={promotion?.title ?? 'New promotion'}
        meta={promotion && <PromotionStateLabel state={stateOf(promotion, new Date())} />}
        actions={promotion && !form.dirty && <Switch promotion={promotion} form={form} />}
      />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Stack gap="md">
            <Basics form={form} currency={currency} />
            <Conditions form={form} currency={currency} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Stack gap="md">
            {promotion && <Effect promotion={promotion} />}
            <Limits form={form} />
            <Timing form={form} />
          </Stack>
        </Grid.Col>
      </Grid>
      {(form.dirty || !promotion || form.error) && <Save form={form} isNew={!promotion} />}
    </form>
  );
}

function Switch({ promotion, form }: { promotion: Promotion; form: PromotionForm }) {
  return (
    <Button
      variant="default"
      loading={form.saving}
      onClick={() => {
        form.switchTo(!promotion.active);
      }}
    >
      {promotion.active ? 'Switch off' : 'Switch on'}
    </Button>
  );
}

function Save({ form, isNew }: { form: PromotionForm; isNew: boolean }) {
  const wrong = Object.keys(form.errors).length > 0;
  return (
    <StickyBar label={isNew ? 'New promotion' : 'Unsaved changes'}>
      <Stack gap="xs">
        <Problem form={form} />
        <Group justify="space-between" gap="sm" wrap="nowrap">
          <Text size="sm" fw={500}>
            {wrong ? 'Check the marked fields' : isNew ? 'Not made yet' : 'Unsaved changes'}
          </Text>
          <Group gap="xs" wrap="nowrap">
            {!isNew && (
              <Button variant="default" disabled={form.saving} onClick={form.discard}>
                Discard
              </Button>
            )}
            <Button type="submit" loading={form.saving}>
              {isNew ? 'Create promotion' : 'Save'}
            </Button>
          </Group>
        </Group>
      </Stack>
    </StickyBar>
  );
}

function Problem({ form }: { form: PromotionForm }) {
  const { error, conflict } = form;
  if (!error) return null;
  if (conflict) {
    return (
      <Alert color="yellow" role="alert" title="Somebody else changed this promotion">
        <Group justify="space-between" gap="sm">
          <Text size="sm">Nothing of yours has been written yet.</Text>
          <Button variant="default" onClick={() => void form.takeTheirs()}>
            Show theirs, drop mine
          </Button>
        </Group>
      </Alert>
    );
  }
  const details = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  return (
    <Alert color="red" role="alert">
      {messageOf(error)}
      {details.map((field) => (
        <div key={field.pointer + field.detail}>{field.detail}</div>
      ))}
    </Alert>
  );
}

/** How often it was used, and what that did in the last days. */
function Effect({ promotion }: { promotion: Promotion }) {
  const days = usePromotionDays(promotion.id);
  return (
    <Card title="Used">
      <Stack gap={6}>
        <Text size="xl" fw={600} className="figures">
          {usesText(promotion)}
        </Text>
        {promotion.use_limit === undefined && promotion.per_customer_limit === undefined && (
          <Text size="xs" c="dimmed">
            Uses are counted once there is a limit.
          </Text>
        )}
        {days.data && <Sums days={days.data} />}
      </Stack>
    </Card>
  );
}

function Sums({ days }: { days: PromotionDay[] }) {
  const orders = days.reduce((sum, day) => sum + day.orders, 0);
  if (orders === 0) {
    return (
      <Text size="sm" c="dimmed">
        No paid order in the last 30 days.
      </Text>
    );
  }
  return (
    <>
      <Text size="sm">{countOf(orders, 'paid order')} in the last 30 days</Text>
      {byCurrency(days).map(({ revenue, discount }) => (
        <Text key={revenue.currency} size="sm" c="dimmed" component="div">
          <MoneyText value={revenue} /> sold, <MoneyText value={discount} /> taken off
        </Text>
      ))}
    </>
  );
}

function byCurrency(days: PromotionDay[]): { revenue: Money; discount: Money }[] {
  const sums = new Map<string, { revenue: Money; discount: Money }>();
  for (const { revenue, discount } of days) {
    const sum = sums.get(revenue.currency);
    sums.set(revenue.currency, {
      revenue: { ...revenue, amount: revenue.amount + (sum?.revenue.amount ?? 0) },
      discount: { ...discount, amount: discount.amount + (sum?.discount.amount ?? 0) },
    });
  }
  return [...sums.values()];
}
