import { useQuery } from '@tanstack/react-query';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useTenant } from '@/session/context';
import type { Target } from './targetFields';

const PAGES_MOST = 20;

/** All targets, for those who may see them, and their names by number for everybody. */
export function useTargets(): { list: Target[]; name: (id: number | null) => string } {
  const { tenant, may } = useTenant();
  const { data: list = [] } = useQuery({
    queryKey: tenantKey(tenant, 'targets', 'all'),
    enabled: may('listTargets'),
    queryFn: async () => {
      const found: Target[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < PAGES_MOST; page += 1) {
        const { items, next } = await call(
          api.GET('/api/v1/tenants/{tenant}/targets', {
            params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
          }),
        );
        found.push(...items);
        if (!next) break;
        cursor = next;
      }
      return found;
    },
  });
  const name = (id: number | null) =>
    id === null ? '–' : (list.find((target) => target.id === id)?.name ?? `#${id}`);
  return { list, name };
}
