import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { RouterProvider, type RouterProviderProps } from 'react-router';
import { onSessionEnd } from './api/client';
import { keys, newQueryClient } from './api/queries';
import { cssVariables, theme } from './theme';

// public/color-scheme.js reads the same key before the first paint.
const colorSchemeManager = localStorageColorSchemeManager({ key: 'shopd-admin-color-scheme' });

/** The nonce of this answer; styles that components write at run time carry it. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';
}

/** The application around its routes: theme, data, notifications, and the end of the session. */
export function App({ router }: Pick<RouterProviderProps, 'router'>) {
  const [queryClient] = useState(newQueryClient);
  useEffect(() => onSessionEnd(() => queryClient.setQueryData(keys.me, null)), [queryClient]);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorSchemeManager}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <QueryClientProvider client={queryClient}>
        <Notifications position="bottom-right" autoClose={4000} />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
