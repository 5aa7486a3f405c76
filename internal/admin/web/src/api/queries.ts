import { notifications } from '@mantine/notifications';
import {
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { ApiError } from './client';
import { api, type ListFilter } from './endpoints';
import type { Order } from './types';

/** The names under which answers are kept. */
export const keys = {
  me: ['me'] as const,
  overview: ['overview'] as const,
  orders: (filter?: ListFilter) => (filter ? (['orders', filter] as const) : (['orders'] as const)),
  recentOrders: ['orders', 'recent'] as const,
  order: (id: string) => ['order', id] as const,
  products: (filter?: ListFilter) => (filter ? (['products', filter] as const) : (['products'] as const)),
  product: (id: string) => ['product', id] as const,
};

/** Retries what may pass (no answer, 5xx), never what the server decided. */
export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 15_000,
        retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
      },
    },
  });
}

/** Who is signed in; null when nobody is. */
export function useMe() {
  return useQuery({
    queryKey: keys.me,
    staleTime: 5 * 60_000,
    queryFn: async ({ signal }) => {
      try {
        return await api.me(signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
  });
}

export function useOverview() {
  return useQuery({
    queryKey: keys.overview,
    queryFn: ({ signal }) => api.overview(signal),
    refetchInterval: 60_000,
  });
}

export function useRecentOrders() {
  return useQuery({
    queryKey: keys.recentOrders,
    queryFn: ({ signal }) => api.orders({}, null, signal, 8),
    refetchInterval: 60_000,
  });
}

export function useOrders(filter: ListFilter) {
  return useInfiniteQuery({
    queryKey: keys.orders(filter),
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => api.orders(filter, pageParam, signal),
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

export function useOrder(id: string) {
  return useQuery({
    queryKey: keys.order(id),
    queryFn: ({ signal }) => api.order(id, signal),
    refetchInterval: ({ state }) => (state.data && isSettling(state.data) ? 3_000 : false),
  });
}

/** Whether money is still on its way: the gateway is being asked, or a cancelled order is being paid back. */
function isSettling(order: Order): boolean {
  return order.payments.some(
    ({ status }) =>
      status === 'sending' || status === 'unknown' || (order.status === 'cancelled' && status === 'captured'),
  );
}

/** Changes an order, shows the one that came back and says done; lists and figures are read again. */
export function useOrderAction(id: string, run: () => Promise<Order>, done: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: (order) => {
      // Here and not in the dialog: the dialog goes away with the action that is no longer possible.
      notifications.show({ message: done, color: 'green' });
      client.setQueryData(keys.order(id), order);
    },
    // A refusal means that the order is not what the screen shows.
    onError: () => client.invalidateQueries({ queryKey: keys.order(id) }),
    onSettled: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: keys.orders() }),
        client.invalidateQueries({ queryKey: keys.overview }),
      ]),
  });
}

export function useProducts(filter: ListFilter) {
  return useInfiniteQuery({
    queryKey: keys.products(filter),
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => api.products(filter, pageParam, signal),
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
}

export function useProduct(id: string) {
  return useQuery({ queryKey: keys.product(id), queryFn: ({ signal }) => api.product(id, signal) });
}
