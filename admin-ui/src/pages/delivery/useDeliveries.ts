import { useQuery } from '@tanstack/react-query';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useTenant } from '@/session/context';

/** The newest of all files, as many as one answer holds. */
export function useRecentDeliveries() {
  const { tenant } = useTenant();
  return useQuery({
    queryKey: tenantKey(tenant, 'deliveries', 'recent'),
    refetchInterval: 30_000,
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/deliveries', {
          params: { path: { tenant }, query: { limit: 1000 } },
        }),
      ),
  });
}

/** Those of one file. */
export function useFileDeliveries(file: number) {
  const { tenant } = useTenant();
  return useQuery({
    queryKey: tenantKey(tenant, 'deliveries', 'file', file),
    refetchInterval: 10_000,
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/deliveries', {
          params: { path: { tenant }, query: { file, limit: 1000 } },
        }),
      ),
  });
}
