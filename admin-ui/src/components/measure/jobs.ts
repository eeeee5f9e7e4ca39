import { useQueryClient, type InfiniteData } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import type { Schemas } from '@/api/client';
import { tenantKey, type Page } from '@/api/query';
import { useLive } from '@/api/stream';

export type Job = Schemas['Job'];

export function jobKind(t: TFunction<'measure'>, kind: string): string {
  return t(`jobKind.${kind}`, { defaultValue: kind });
}

/** 0 to 100; null while nobody knows how much there is. */
export function jobFraction({ state, progress: { done, total } }: Job): number | null {
  if (state === 'done') return 100;
  if (total === null) return null;
  return total === 0 ? 0 : Math.min(100, (done / total) * 100);
}

export const jobEnded = ({ state }: Job): boolean =>
  state === 'done' || state === 'failed' || state === 'cancelled';

/** The job with its news in a cached list; undefined when the list does not hold it. */
export function withJob(
  data: InfiniteData<Page<Job>> | undefined,
  job: Job,
): InfiniteData<Page<Job>> | undefined {
  if (!data?.pages.some(({ items }) => items.some(({ id }) => id === job.id))) return undefined;
  return {
    ...data,
    pages: data.pages.map((page) => ({
      ...page,
      items: page.items.map((old) => (old.id === job.id ? job : old)),
    })),
  };
}

/** Keeps single jobs and lists of them current while the page is open. */
export function useLiveJobs(tenant: string, onJob?: (job: Job) => void): void {
  const client = useQueryClient();
  useLive(tenant, 'jobs', (job) => {
    client.setQueryData(tenantKey(tenant, 'job', job.id), job);
    let known = false;
    client.setQueriesData<InfiniteData<Page<Job>>>(
      { queryKey: tenantKey(tenant, 'jobs') },
      (data) => {
        const next = withJob(data, job);
        known ||= next !== undefined;
        return next ?? data;
      },
    );
    if (!known) void client.invalidateQueries({ queryKey: tenantKey(tenant, 'jobs') });
    onJob?.(job);
  });
}
