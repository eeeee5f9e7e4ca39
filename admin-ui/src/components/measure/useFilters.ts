import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

export type Filters<N extends string> = Partial<Record<N, string>>;

/** Filters live in the address: a filtered list can be linked to, sent and come back to. */
export function useFilters<const N extends string>(
  names: readonly N[],
): [Filters<N>, (change: Filters<N>) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const key = names.join();
  const filters = useMemo(() => {
    const params = new URLSearchParams(search);
    const found: Filters<N> = {};
    for (const name of key.split(',') as N[]) {
      const value = params.get(name);
      if (value) found[name] = value;
    }
    return found;
  }, [search, key]);
  const change = useCallback(
    (next: Filters<N>) => {
      const params = new URLSearchParams(search);
      for (const [name, value] of Object.entries(next) as [N, string | undefined][])
        if (value) params.set(name, value);
        else params.delete(name);
      const text = params.toString();
      navigate(text ? `${path}?${text}` : path, { replace: true });
    },
    [search, path, navigate],
  );
  return [filters, change];
}
