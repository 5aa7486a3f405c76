import {
  Checkbox,
  Group,
  NativeSelect,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Switch,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core';
import type { Promotion, PromotionKind } from '../api/types';
import { Card } from '../components/card';
import { codeOf, type Draft } from './draft';
import type { PromotionForm } from './use-promotion-form';

interface FieldsProps {
  form: PromotionForm;
}

/** Fields with amounts show the shop's currency and those that the promotion has already. */
type WithCurrency = FieldsProps & { currency: string | undefined };

const kinds: { value: PromotionKind; label: string }[] = [
  { value: 'percentage', label: 'Percentage' },
  { value: 'fixed_amount', label: 'Amount off' },
  { value: 'free_shipping', label: 'Free shipping' },
  { value: 'buy_x_get_y', label: 'Buy X, get Y' },
];

/** What it is called, what it gives, and how shoppers get it. */
export function Basics({ form, currency }: WithCurrency) {
  const { draft, errors, edit } = form;
  return (
    <Card title="Promotion">
      <Stack gap="md">
        <TextInput
          label="Title"
          description="Shoppers see it in the cart."
          maxLength={120}
          value={draft.title}
          error={errors.title}
          onChange={(e) => {
            edit({ title: e.currentTarget.value });
          }}
        />
        <NativeSelect
          label="Kind"
          data={kinds}
          value={draft.kind}
          onChange={(e) => {
            edit({ kind: e.currentTarget.value as PromotionKind });
          }}
        />
        <Value form={form} currency={currency} />
        <div>
          <Text size="sm" fw={500} mb={6} id="how-it-is-applied">
            Applied
          </Text>
          <SegmentedControl
            aria-labelledby="how-it-is-applied"
            data={[
              { value: 'code', label: 'By a code' },
              { value: 'automatic', label: 'By itself' },
            ]}
            value={draft.automatic ? 'automatic' : 'code'}
            onChange={(value) => {
              edit({ automatic: value === 'automatic' });
            }}
          />
        </div>
        {!draft.automatic && (
          <TagsInput
            label="Codes"
            description="Capitals and spaces do not matter. Enter adds a code."
            maxTags={100}
            splitChars={[',', ';']}
            acceptValueOnBlur
            value={draft.codes}
            error={errors.codes}
            onChange={(codes) => {
              edit({ codes: [...new Set(codes.map(codeOf))] });
            }}
          />
        )}
      </Stack>
    </Card>
  );
}

function Value({ form, currency }: WithCurrency) {
  const { draft } = form;
  switch (draft.kind) {
    case 'percentage':
      return <Field form={form} name="percent" label="Percent off" inputMode="decimal" />;
    case 'fixed_amount':
      return (
        <Group align="flex-start" gap="sm">
          <Amounts form={form} currency={currency} name="amounts" label="Amount" />
          <NativeSelect
            label="Taken off"
            data={[
              { value: 'order', label: 'the order' },
              { value: 'line', label: 'each line' },
              { value: 'piece', label: 'each item' },
            ]}
            value={draft.per}
            onChange={(e) => {
              form.edit({ per: e.currentTarget.value as Draft['per'] });
            }}
          />
        </Group>
      );
    case 'free_shipping':
      return null;
    case 'buy_x_get_y':
      return (
        <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="sm">
          <Field form={form} name="buy" label="Buy" inputMode="numeric" />
          <Field form={form} name="get" label="Get" inputMode="numeric" />
          <Field form={form} name="percent" label="Percent off" inputMode="decimal" />
          <Field
            form={form}
            name="maxSets"
            label="Times an order"
            inputMode="numeric"
            placeholder="No limit"
          />
        </SimpleGrid>
      );
  }
}

/** For which purchases it counts. */
export function Conditions({ form, currency }: WithCurrency) {
  const { draft, edit, base } = form;
  const others = base ? restrictions(base) : [];
  return (
    <Card title="Conditions">
      <Stack gap="md">
        <Group align="flex-start" gap="sm">
          <Amounts
            form={form}
            currency={currency}
            name="minimum"
            label="Minimum purchase"
            placeholder="None"
          />
        </Group>
        <Checkbox
          label="Only the first order of a customer"
          checked={draft.firstOrder}
          onChange={(e) => {
            edit({ firstOrder: e.currentTarget.checked });
          }}
        />
        <Checkbox
          label="Not together with other promotions"
          checked={draft.exclusive}
          onChange={(e) => {
            edit({ exclusive: e.currentTarget.checked });
          }}
        />
        {others.length > 0 && (
          <Text size="sm" c="dimmed">
            Also limited to {others.join(', ')}. This is set through the API and stays as it is.
          </Text>
        )}
      </Stack>
    </Card>
  );
}

/** Conditions that the form does not show, so that nobody believes there are none. */
function restrictions({ include, exclude, conditions, buy, get, stack_group: group }: Promotion): string[] {
  const any = (lists: object | undefined) =>
    Object.values(lists ?? {}).some((list) => Array.isArray(list) && list.length > 0);
  const parts: [boolean, string][] = [
    [any(include) || any(exclude) || any(buy) || any(get), 'certain articles'],
    [Boolean(conditions.customer_groups?.length || conditions.customers?.length), 'certain customers'],
    [Boolean(conditions.currencies?.length), 'certain currencies'],
    [Boolean(conditions.shipping_methods?.length), 'certain ways of shipping'],
    [Boolean(group), `the best of “${group ?? ''}”`],
  ];
  return parts.filter(([is]) => is).map(([, text]) => text);
}

/** How often it may be used. */
export function Limits({ form }: FieldsProps) {
  const { draft } = form;
  return (
    <Card title="Limits">
      <Stack gap="md">
        <Field
          form={form}
          name="useLimit"
          label="Uses in all"
          description="In how many orders, over all codes"
          placeholder="No limit"
          inputMode="numeric"
        />
        <Field
          form={form}
          name="customerLimit"
          label="Uses by each customer"
          description={
            draft.firstOrder ? 'One, as it is for first orders only' : 'By account and by e-mail address'
          }
          placeholder={draft.firstOrder ? '1' : 'No limit'}
          inputMode="numeric"
          disabled={draft.firstOrder}
        />
      </Stack>
    </Card>
  );
}

/** When it is applied, and before which others. */
export function Timing({ form }: FieldsProps) {
  const { draft, edit } = form;
  return (
    <Card title="Schedule">
      <Stack gap="md">
        <Switch
          label="Switched on"
          checked={draft.active}
          onChange={(e) => {
            edit({ active: e.currentTarget.checked });
          }}
        />
        <Field form={form} name="from" label="Begins" type="datetime-local" />
        <Field form={form} name="to" label="Ends" type="datetime-local" />
        <Field
          form={form}
          name="priority"
          label="Priority"
          description="The higher is applied first"
          inputMode="numeric"
        />
      </Stack>
    </Card>
  );
}

type TextFields = { [K in keyof Draft]: Draft[K] extends string ? K : never }[keyof Draft];

interface FieldProps extends FieldsProps {
  name: Exclude<TextFields, 'kind' | 'per'>;
  label: string;
  description?: string;
  placeholder?: string;
  inputMode?: 'numeric' | 'decimal';
  type?: 'datetime-local';
  disabled?: boolean;
}

function Field({ form, name, ...rest }: FieldProps) {
  return (
    <TextInput
      {...rest}
      value={form.draft[name]}
      error={form.errors[name]}
      onChange={(e) => {
        form.edit({ [name]: e.currentTarget.value });
      }}
    />
  );
}

interface AmountsProps extends WithCurrency {
  name: 'amounts' | 'minimum';
  label: string;
  placeholder?: string;
}

/** One field in each currency. */
function Amounts({ form, currency, name, label, placeholder }: AmountsProps) {
  const texts = form.draft[name];
  const currencies = [...new Set([...(currency ? [currency] : []), ...Object.keys(texts)])];
  return currencies.map((code) => (
    <TextInput
      key={code}
      label={`${label} in ${code}`}
      inputMode="decimal"
      placeholder={placeholder}
      value={texts[code] ?? ''}
      error={form.errors[name]}
      onChange={(e) => {
        form.edit({ [name]: { ...texts, [code]: e.currentTarget.value } });
      }}
    />
  ));
}
