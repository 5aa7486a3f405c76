import { AppShell, Burger, Group, NavLink, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconHome, IconPackage, IconReceipt, IconTag, type Icon } from '@tabler/icons-react';
import { Suspense } from 'react';
import { Link, Outlet, ScrollRestoration, useLocation } from 'react-router';
import { useMe } from '../api/queries';
import { Logo } from '../components/logo';
import { ColorSchemeSwitch, StorefrontLink, UserMenu } from './header-tools';
import classes from './layout.module.css';

const sections: { to: string; label: string; icon: Icon }[] = [
  { to: '/', label: 'Home', icon: IconHome },
  { to: '/orders', label: 'Orders', icon: IconReceipt },
  { to: '/products', label: 'Products', icon: IconPackage },
  { to: '/promotions', label: 'Promotions', icon: IconTag },
];

/** The frame of every page: header, sections at the side (behind a button on a phone), and the page itself. */
export function Layout() {
  const [opened, { toggle, close }] = useDisclosure(false);
  return (
    <AppShell
      layout="alt"
      header={{ height: 52 }}
      navbar={{ width: 216, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'md', md: 'lg' }}
      classNames={{ header: classes.header, navbar: classes.navbar, main: classes.main }}
    >
      <a className={classes.skip} href="#content">
        Skip to content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap" hiddenFrom="sm">
            <Burger
              opened={opened}
              onClick={toggle}
              size="sm"
              aria-label={opened ? 'Close the menu' : 'Open the menu'}
              aria-expanded={opened}
            />
            <ShopName />
          </Group>
          <Group gap={4} ml="auto" wrap="nowrap">
            <StorefrontLink />
            <ColorSchemeSwitch />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label="Sections">
        <Group h={52} px="md" justify="space-between" wrap="nowrap" className={classes.brand}>
          <ShopName />
          <Burger hiddenFrom="sm" opened size="sm" onClick={close} aria-label="Close the menu" />
        </Group>
        <Sections onNavigate={close} />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <div className={classes.page}>
          <Suspense>
            <Outlet />
          </Suspense>
        </div>
      </AppShell.Main>
      <ScrollRestoration />
    </AppShell>
  );
}

function ShopName() {
  const me = useMe();
  return (
    <Group gap="xs" wrap="nowrap">
      <Logo size={24} />
      <Text fw={600} size="md" truncate>
        {me.data?.shop_name ?? 'shopd'}
      </Text>
    </Group>
  );
}

function Sections({ onNavigate }: { onNavigate: () => void }) {
  const { pathname } = useLocation();
  return (
    <div className={classes.sections}>
      {sections.map(({ to, label, icon: SectionIcon }) => {
        const active = to === '/' ? pathname === '/' : pathname.startsWith(to);
        return (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            leftSection={<SectionIcon size={18} stroke={1.6} aria-hidden />}
            active={active}
            aria-current={active ? 'page' : undefined}
            onClick={onNavigate}
            classNames={{ root: classes.section }}
          />
        );
      })}
    </div>
  );
}
