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
  timeline: (id: string) => ['order', id, 'timeline'] as const,
  products: (filter?: ListFilter) => (filter ? (['products', filter] as const) : (['products'] as const)),
  product: (id: string) => ['product', id] as const,
  promotions: ['promotions'] as const,
  promotion: (id: string) => ['promotion', id] as const,
  promotionDays: (id: string) => ['promotion', id, 'days'] as const,
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

/** What happened to an order, read again whenever the order changed. */
export function useTimeline({ id, version }: Order) {
  return useQuery({
    queryKey: [...keys.timeline(id), version],
    queryFn: ({ signal }) => api.timeline(id, signal),
    placeholderData: keepPreviousData,
    // Mails and documents come a moment after what they are about, and change no order.
    refetchInterval: 10_000,
  });
}

/** Whether money is still on its way: the gateway is being asked, or something is being paid back. */
function isSettling({ status, payments, refunds, documents }: Order): boolean {
  const unwritten = refunds.slice(documents.filter((d) => d.kind === 'credit_note').length);
  return (
    payments.some(
      (p) =>
        p.status === 'sending' ||
        p.status === 'unknown' ||
        (status === 'cancelled' && p.status === 'captured'),
    ) ||
    refunds.some((r) => r.state === 'promised' || r.state === 'accepted') ||
    // Credit notes come a moment after what they are about.
    unwritten.some((r) => Date.now() - Date.parse(r.created_at) < 60_000)
  );
}

/**
 * Changes an order, shows the one that came back and says what was done; lists and figures are read again.
 */
export function useOrderAction<V = undefined>(
  id: string,
  run: (values: V) => Promise<Order>,
  done: string | ((order: Order, values: V) => string),
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: (order, values) => {
      // Here and not in the dialog: the dialog goes away with the action that is no longer possible.
      notifications.show({
        message: typeof done === 'string' ? done : done(order, values),
        color: 'green',
      });
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

export function usePromotions() {
  return useInfiniteQuery({
    queryKey: keys.promotions,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => api.promotions(pageParam, signal),
    getNextPageParam: (page) => page.next,
  });
}

export function usePromotion(id: string) {
  return useQuery({
    queryKey: keys.promotion(id),
    queryFn: ({ signal }) => api.promotion(id, signal),
  });
}

export function usePromotionDays(id: string) {
  return useQuery({
    queryKey: keys.promotionDays(id),
    queryFn: ({ signal }) => api.promotionDays(id, signal),
  });
}
