import { Alert, Anchor, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { usePolling } from '@/api/stream';
import { ProblemAlert } from '@/components/ProblemAlert';
import { JobProgress } from '@/components/measure/JobProgress';
import { jobEnded, useLiveJobs, type Job } from '@/components/measure/jobs';
import { JobStateTone } from '@/components/measure/Tone';
import { useTenant } from '@/session/context';

interface Props {
  id: number;
  title: string;
  close: () => void;
  onEnd?: (job: Job) => void;
  /** whether what it brought is good news */
  good?: (job: Job) => boolean;
  /** what its result means */
  children: (job: Job) => ReactNode;
}

/** A job that was just ordered, followed to its end, until it is put away. */
export function JobNote({ id, title, close, onEnd, good = () => true, children }: Props) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const polling = usePolling(tenant, 2_000);
  useLiveJobs(tenant, (job) => {
    if (job.id === id && jobEnded(job)) onEnd?.(job);
  });
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'job', id),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/jobs/{job_id}', {
          params: { path: { tenant, job_id: id } },
        }),
      ),
    // The stream tells; asked now and then all the same, for the one event that got lost.
    refetchInterval: ({ state }) => (state.data && jobEnded(state.data) ? false : polling || 5_000),
  });
  const ended = data && jobEnded(data);
  const color = !ended ? 'gray' : data.state === 'done' && good(data) ? 'teal' : 'red';
  return (
    <Alert
      mb="md"
      color={color}
      title={title}
      withCloseButton
      closeButtonLabel={t('common:close')}
      onClose={close}
      role="status"
    >
      <Stack gap={6}>
        <ProblemAlert error={error} retry={() => void refetch()} />
        {data && (data.state !== 'done' || !ended) && (
          <Text size="sm" component="div">
            <JobStateTone state={data.state} />
          </Text>
        )}
        {data && !ended && <JobProgress job={data} />}
        {data?.error && (
          <Text size="sm" className="break">
            {data.error}
          </Text>
        )}
        {data?.state === 'done' && children(data)}
        <Anchor component={Link} size="sm" to={`/t/${tenant}/jobs?kind=${data?.kind ?? ''}`}>
          {t('toJobs')}
        </Anchor>
      </Stack>
    </Alert>
  );
}
