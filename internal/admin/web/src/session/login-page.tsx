import { Alert, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconClockExclamation } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type SubmitEvent, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { messageOf } from '../api/client';
import { api } from '../api/endpoints';
import { Logo } from '../components/logo';
import { usePageTitle } from '../components/page-title';
import classes from './login-page.module.css';
import { safeNext } from './next';

/** Signs staff in. `?error=link_expired` comes from the server when a one-time link was used or is too old. */
export function LoginPage() {
  usePageTitle('Sign in');
  const [params] = useSearchParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: () => api.signIn(email.trim(), password),
    onSuccess: async () => {
      // Nothing that another person read before may show up again.
      client.clear();
      await navigate(safeNext(params.get('next')), { replace: true });
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <main className={classes.page}>
      <Paper withBorder radius="lg" p="xl" className={classes.card}>
        <Stack gap="lg">
          <Stack gap="xs">
            <Logo size={36} />
            <Title order={1} mt="xs">
              Sign in to the admin
            </Title>
            <Text c="dimmed" size="sm">
              For the people who run this shop.
            </Text>
          </Stack>
          {params.get('error') === 'link_expired' && !signIn.isError && (
            <Alert color="yellow" icon={<IconClockExclamation />} title="This link has expired">
              A sign-in link works once and for a short time. Use your e-mail and password, or ask for a new
              link; the demo prints one at every start.
            </Alert>
          )}
          {signIn.isError && (
            <Alert color="red" role="alert">
              {messageOf(signIn.error)}
            </Alert>
          )}
          <form onSubmit={submit}>
            <Stack gap="md">
              <TextInput
                label="E-mail"
                type="email"
                name="email"
                autoComplete="username"
                required
                autoFocus
                withAsterisk={false}
                value={email}
                onChange={(e) => {
                  setEmail(e.currentTarget.value);
                }}
              />
              <PasswordInput
                label="Password"
                name="password"
                autoComplete="current-password"
                required
                withAsterisk={false}
                value={password}
                onChange={(e) => {
                  setPassword(e.currentTarget.value);
                }}
              />
              <Button type="submit" fullWidth loading={signIn.isPending}>
                Sign in
              </Button>
            </Stack>
          </form>
        </Stack>
      </Paper>
    </main>
  );
}
