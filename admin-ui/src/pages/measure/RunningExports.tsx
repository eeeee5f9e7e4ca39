import { Anchor, Group, Paper, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { JobProgress } from '@/components/measure/JobProgress';
import { jobKind, useLiveJobs, type Job } from '@/components/measure/jobs';
import { useTenant } from '@/session/context';

const KINDS = ['export', 'schedule', 'resend'];
const writes = ({ kind }: Job) => KINDS.includes(kind);

/** What writes files just now, whoever ordered it, and how far it is. */
export function RunningExports() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const key = tenantKey(tenant, 'running-exports');
  useLiveJobs(tenant, (job) => {
    if (writes(job)) void client.invalidateQueries({ queryKey: key });
  });
  const { data } = useQuery({
    queryKey: key,
    enabled: may('listJobs'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/jobs', {
          params: { path: { tenant }, query: { state: 'running', limit: 100 } },
        }),
      ),
    // While something runs its progress is asked for, should the stream be slow.
    refetchInterval: ({ state }) => (state.data?.items.some(writes) ? 2_000 : 30_000),
  });
  const running = (data?.items ?? []).filter(writes);
  if (running.length === 0) return null;
  return (
    <Paper withBorder p="sm" mb="md" role="status" aria-label={t('exports.running')}>
      <Stack gap={6}>
        <Text size="sm" fw={600}>
          {t('exports.running')}
        </Text>
        {running.map((job) => (
          <Group key={job.id} gap="sm" wrap="nowrap">
            <Anchor
              component={Link}
              size="sm"
              style={{ flexShrink: 0 }}
              to={`/t/${tenant}/jobs?kind=${job.kind}`}
            >
              {jobKind(t, job.kind)} {job.id}
            </Anchor>
            <div style={{ flex: 1 }}>
              <JobProgress job={job} />
            </div>
          </Group>
        ))}
      </Stack>
    </Paper>
  );
}
