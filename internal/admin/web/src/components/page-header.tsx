import { Anchor, Group, Stack, Title } from '@mantine/core';
import { IconChevronLeft } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';

interface PageHeaderProps {
  title: ReactNode;
  /** The list this page belongs to. */
  back?: { to: string; label: string };
  /** Facts beside the title, such as a status. */
  meta?: ReactNode;
  actions?: ReactNode;
}

/** The top of a page: where it belongs, what it is, what can be done. */
export function PageHeader({ title, back, meta, actions }: PageHeaderProps) {
  return (
    <Stack component="header" gap={4} mb="md">
      {back && (
        <Anchor component={Link} to={back.to} size="sm" c="dimmed" w="fit-content">
          <Group gap={2} component="span">
            <IconChevronLeft size={14} aria-hidden />
            {back.label}
          </Group>
        </Anchor>
      )}
      <Group justify="space-between" gap="sm" mih={36}>
        <Group gap="sm">
          <Title order={1}>{title}</Title>
          {meta}
        </Group>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
    </Stack>
  );
}
