import { useQuery } from '@tanstack/react-query';
import { api, call, callFull, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useTenant } from '@/session/context';
import type { Versioned } from './versioned';

export type ReportTemplate = Schemas['ReportTemplate'];
export type ReportDefinition = Schemas['ReportDefinition'];

/** All templates of reports (there are at most 200), and their names by number. */
export function useReports(): {
  list: ReportTemplate[];
  name: (id: number | null) => string;
} {
  const { tenant, may } = useTenant();
  const { data: list = [] } = useQuery({
    queryKey: tenantKey(tenant, 'report-templates', 'all'),
    enabled: may('listReportTemplates'),
    queryFn: async () => {
      const { items } = await call(
        api.GET('/api/v1/tenants/{tenant}/report-templates', {
          params: { path: { tenant }, query: { limit: 200 } },
        }),
      );
      return items;
    },
  });
  const name = (id: number | null) =>
    id === null ? '–' : (list.find((one) => one.id === id)?.name ?? `#${id}`);
  return { list, name };
}

/** What comes with the product. */
export function useReadyReports() {
  const { tenant } = useTenant();
  return useQuery({
    queryKey: tenantKey(tenant, 'ready-reports'),
    staleTime: Infinity,
    queryFn: () =>
      call(api.GET('/api/v1/tenants/{tenant}/ready-reports', { params: { path: { tenant } } })),
  });
}

export async function loadReport(tenant: string, id: number): Promise<Versioned<ReportTemplate>> {
  const { data, response } = await callFull(
    api.GET('/api/v1/tenants/{tenant}/report-templates/{template_id}', {
      params: { path: { tenant, template_id: id } },
    }),
  );
  return { value: data, etag: response.headers.get('ETag') };
}
