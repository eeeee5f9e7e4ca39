import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, renderHook, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import { useCursorList, type Page } from '@/api/query';

function wrapper() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
}

const PAGES: Record<string, Page<number>> = {
  '': { items: [1, 2], next: 'a' },
  a: { items: [3], next: 'b' },
  b: { items: [4] },
};

describe('useCursorList', () => {
  it('follows the cursor to the last page and not beyond', async () => {
    const fetchPage = vi.fn((cursor?: string) =>
      Promise.resolve(PAGES[cursor ?? ''] as Page<number>),
    );
    const { result } = renderHook(() => useCursorList(['n'], fetchPage), { wrapper: wrapper() });
    expect(result.current.loading).toBe(true);
    await waitFor(() => expect(result.current.rows).toEqual([1, 2]));
    act(() => result.current.more());
    await waitFor(() => expect(result.current.rows).toEqual([1, 2, 3]));
    expect(result.current.hasMore).toBe(true);
    act(() => result.current.more());
    await waitFor(() => expect(result.current.rows).toEqual([1, 2, 3, 4]));
    expect(result.current.hasMore).toBe(false);
    act(() => result.current.more());
    expect(fetchPage.mock.calls.map(([cursor]) => cursor)).toEqual([undefined, 'a', 'b']);
  });

  it('asks for one page at a time', async () => {
    const fetchPage = vi.fn((cursor?: string) =>
      Promise.resolve(PAGES[cursor ?? ''] as Page<number>),
    );
    const { result } = renderHook(() => useCursorList(['n'], fetchPage), { wrapper: wrapper() });
    await waitFor(() => expect(result.current.rows).toHaveLength(2));
    act(() => {
      result.current.more();
      result.current.more();
    });
    await waitFor(() => expect(result.current.rows).toHaveLength(3));
    expect(fetchPage).toHaveBeenCalledTimes(2);
  });

  it('keeps the rows it has when a later page fails', async () => {
    const fetchPage = vi.fn((cursor?: string) =>
      cursor
        ? Promise.reject(new ApiError('server', 500, null))
        : Promise.resolve(PAGES[''] as Page<number>),
    );
    const { result } = renderHook(() => useCursorList(['n'], fetchPage), { wrapper: wrapper() });
    await waitFor(() => expect(result.current.rows).toHaveLength(2));
    act(() => result.current.more());
    await waitFor(() => expect(result.current.error?.kind).toBe('server'));
    expect(result.current.rows).toEqual([1, 2]);
  });
});
