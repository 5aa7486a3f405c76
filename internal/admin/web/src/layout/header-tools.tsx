import {
  ActionIcon,
  Avatar,
  Button,
  Menu,
  Text,
  Tooltip,
  UnstyledButton,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconExternalLink, IconLogout, IconMoon, IconSun } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { messageOf } from '../api/client';
import { api } from '../api/endpoints';
import { keys, useMe } from '../api/queries';
import { humanise } from '../format/words';
import classes from './layout.module.css';

/** Opens the shop as shoppers see it. */
export function StorefrontLink() {
  return (
    <Button
      component="a"
      href="/"
      target="_blank"
      rel="noopener"
      variant="subtle"
      color="gray"
      size="xs"
      c="dimmed"
      rightSection={<IconExternalLink size={14} aria-hidden />}
    >
      View shop
    </Button>
  );
}

/** Changes between light and dark; the choice is kept in this browser. */
export function ColorSchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <Tooltip label={`Use the ${other} theme`}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={`Use the ${other} theme`}
        onClick={() => {
          setColorScheme(other);
        }}
      >
        {scheme === 'dark' ? <IconSun size={18} stroke={1.6} /> : <IconMoon size={18} stroke={1.6} />}
      </ActionIcon>
    </Tooltip>
  );
}

/** Says who is signed in, and signs out. */
export function UserMenu() {
  const me = useMe();
  const navigate = useNavigate();
  const client = useQueryClient();
  const signOut = useMutation({
    mutationFn: api.signOut,
    onSuccess: async () => {
      await navigate('/login');
      client.clear();
      client.setQueryData(keys.me, null);
    },
    onError: (error) =>
      notifications.show({ color: 'red', title: 'Not signed out', message: messageOf(error) }),
  });
  if (!me.data) return null;
  const { name, email, role } = me.data;
  const shown = name || email;
  return (
    <Menu position="bottom-end" width={230} withinPortal={false} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <UnstyledButton aria-label={`Account of ${shown}`} p={4}>
          <Avatar size={28} name={shown} color="brand" variant="filled" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={classes.person}>
          <Text size="sm" fw={600} c="var(--mantine-color-text)" truncate>
            {shown}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {name ? email : humanise(role)}
          </Text>
        </div>
        <Menu.Item
          leftSection={<IconLogout size={16} />}
          onClick={() => {
            signOut.mutate();
          }}
        >
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
