import {
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQueryClient,
  type InfiniteData,
  type QueryKey,
} from '@tanstack/react-query';
import { useMemo } from 'react';
import { asApiError, type ApiError } from './problem';

declare module '@tanstack/react-query' {
  interface Register {
    defaultError: ApiError;
  }
}

/** Again only what may pass by itself, and never a request that the server understood and refused. */
export function shouldRetry(failures: number, error: unknown): boolean {
  const { kind } = asApiError(error);
  return failures < 2 && (kind === 'offline' || kind === 'unavailable');
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 15_000, retry: shouldRetry, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});

/** Keys of everything below a tenant start alike, so that leaving a tenant can forget it whole. */
export function tenantKey(tenant: string, ...rest: unknown[]): QueryKey {
  return ['tenant', tenant, ...rest];
}

export interface Page<T> {
  items: T[];
  next?: string | undefined;
}

export function flattenPages<T>(data: InfiniteData<Page<T>> | undefined): T[] {
  return data?.pages.flatMap((page) => page.items) ?? [];
}

export interface CursorList<T> {
  rows: T[];
  /** undefined until the first answer */
  error: ApiError | null;
  loading: boolean;
  loadingMore: boolean;
  hasMore: boolean;
  more: () => void;
  reload: () => void;
}

/** A list behind `cursor` and `next`; pages are fetched as the reader gets to them. */
export function useCursorList<T>(
  key: QueryKey,
  fetchPage: (cursor: string | undefined) => Promise<Page<T>>,
  options: { enabled?: boolean; refetchInterval?: number | false } = {},
): CursorList<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => fetchPage(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    ...options,
  });
  const rows = useMemo(() => flattenPages(query.data), [query.data]);
  return {
    rows,
    error: query.error,
    loading: query.isPending,
    loadingMore: query.isFetchingNextPage,
    hasMore: query.hasNextPage,
    more: () => {
      // A second call while a page is on its way must not start it again.
      if (query.hasNextPage) void query.fetchNextPage({ cancelRefetch: false });
    },
    reload: () => void query.refetch(),
  };
}

/** One thing the user does: run it, then let the lists it changed be asked for again. */
export function useAction<V, T>(
  run: (input: V) => Promise<T>,
  options: { changes?: QueryKey[]; done?: (answer: T, input: V) => void } = {},
) {
  const client = useQueryClient();
  return useMutation<T, ApiError, V>({
    mutationFn: run,
    onSuccess: async (answer, input) => {
      options.done?.(answer, input);
      await Promise.all(
        (options.changes ?? []).map((queryKey) => client.invalidateQueries({ queryKey })),
      );
    },
  });
}
