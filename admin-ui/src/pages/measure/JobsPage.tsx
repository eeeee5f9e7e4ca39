import { Anchor, Button, Code, Group, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { usePolling } from '@/api/stream';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { FilterBar, FilterSelect } from '@/components/measure/FilterBar';
import { JobProgress } from '@/components/measure/JobProgress';
import { jobEnded, jobKind, useLiveJobs, type Job } from '@/components/measure/jobs';
import { JOB_STATES, JobStateTone, type JobState } from '@/components/measure/Tone';
import { useFilters } from '@/components/measure/useFilters';
import { formatDuration } from '@/lib/time';
import { useTenant } from '@/session/context';

const KINDS = [
  'replay',
  'export',
  'schedule',
  'delivery',
  'delivery-test',
  'maintenance',
  'compaction',
  'packing',
] as const;

export default function JobsPage() {
  const { t, i18n } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [filters, change] = useFilters(['kind', 'state']);
  const { kind, state } = filters;
  const [shown, setShown] = useState<number | null>(null);
  const [doomed, setDoomed] = useState<Job | null>(null);
  const polling = usePolling(tenant, 5_000);
  const list = useCursorList(
    tenantKey(tenant, 'jobs', { kind, state }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/jobs', {
          params: {
            path: { tenant },
            query: {
              limit: 100,
              ...(cursor ? { cursor } : {}),
              ...(kind ? { kind } : {}),
              ...(state ? { state: state as JobState } : {}),
            },
          },
        }),
      ),
    { refetchInterval: polling || 30_000 },
  );
  useLiveJobs(tenant);
  const filtered = Object.keys(filters).length > 0;
  const clear = () => change({ kind: undefined, state: undefined });
  const columns: Column<Job>[] = [
    {
      key: 'kind',
      title: t('job.kind'),
      width: 'minmax(170px, 1fr)',
      cell: (job) => (
        <Anchor component="button" size="sm" onClick={() => setShown(job.id)}>
          {jobKind(t, job.kind)} {job.id}
        </Anchor>
      ),
    },
    {
      key: 'state',
      title: t('job.state'),
      width: 'minmax(130px, 0.8fr)',
      cell: (job) => <JobStateTone state={job.state} />,
    },
    {
      key: 'progress',
      title: t('job.progress'),
      width: 'minmax(190px, 1.3fr)',
      cell: (job) => (job.state === 'waiting' ? '–' : <JobProgress job={job} />),
    },
    {
      key: 'created',
      title: t('job.created'),
      width: '150px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
    {
      key: 'duration',
      title: t('job.duration'),
      width: '110px',
      align: 'right',
      cell: (job) => duration(job, i18n.language),
    },
    {
      key: 'by',
      title: t('job.by'),
      width: 'minmax(130px, 0.9fr)',
      cell: ({ created_by }) => created_by || t('job.platform'),
    },
    {
      key: 'error',
      title: t('job.error'),
      width: 'minmax(140px, 1.2fr)',
      cell: ({ error }) => <span title={error ?? undefined}>{error ?? '–'}</span>,
    },
  ];
  if (may('cancelJob'))
    columns.push({
      key: 'cancel',
      title: t('action'),
      width: '120px',
      cell: (job) =>
        jobEnded(job) ? null : (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => setDoomed(job)}
            aria-label={t('job.cancelOf', { id: job.id })}
          >
            {t('job.cancel')}
          </Button>
        ),
    });
  return (
    <>
      <PageHeader title={t('jobs.title')} text={t('jobs.text')} />
      <FilterBar active={filtered} clear={clear}>
        <FilterSelect
          label={t('job.kind')}
          all={t('filter.all')}
          value={kind}
          onChange={(value) => change({ kind: value })}
          options={KINDS.map((value) => ({ value, label: jobKind(t, value) }))}
        />
        <FilterSelect
          label={t('job.state')}
          all={t('filter.all')}
          value={state}
          onChange={(value) => change({ state: value })}
          options={JOB_STATES.map((value) => ({ value, label: t(`jobState.${value}`) }))}
        />
      </FilterBar>
      <DataTable
        label={t('jobs.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        height="calc(100dvh - 280px)"
        minWidth={1080}
        empty={
          filtered ? (
            <EmptyState title={t('filter.none')} text={t('filter.noneText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('filter.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('jobs.empty')} text={t('jobs.emptyText')} />
          )
        }
      />
      <JobDetails
        job={list.rows.find(({ id }) => id === shown) ?? null}
        close={() => setShown(null)}
      />
      <Confirm
        opened={doomed !== null}
        close={() => setDoomed(null)}
        title={t('job.cancelTitle', { id: doomed?.id })}
        text={t(doomed?.state === 'running' ? 'job.cancelRunning' : 'job.cancelWaiting')}
        action={t('job.cancelAction')}
        run={async () => {
          if (!doomed) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/jobs/{job_id}', {
              params: { path: { tenant, job_id: doomed.id } },
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'jobs') });
        }}
      />
    </>
  );
}

function duration({ started_at, ended_at }: Job, language: string): string {
  if (!started_at || !ended_at) return '–';
  const seconds = (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
  return seconds < 1 ? '< 1 s' : formatDuration(seconds, language);
}

function JobDetails({ job, close }: { job: Job | null; close: () => void }) {
  const { t } = useTranslation('measure');
  return (
    <Modal
      opened={job !== null}
      onClose={close}
      title={job ? `${jobKind(t, job.kind)} ${job.id}` : ''}
      size="lg"
      closeButtonProps={{ 'aria-label': t('common:close') }}
    >
      {job && (
        <Stack gap="sm">
          <Group gap="md">
            <JobStateTone state={job.state} />
          </Group>
          {job.state !== 'waiting' && <JobProgress job={job} />}
          <Facts
            facts={[
              { label: t('job.created'), value: <Time at={job.created_at} seconds /> },
              { label: t('job.runAt'), value: <Time at={job.run_at} seconds /> },
              { label: t('job.started'), value: <Time at={job.started_at} seconds /> },
              { label: t('job.ended'), value: <Time at={job.ended_at} seconds /> },
              { label: t('job.attempts'), value: String(job.attempts) },
              { label: t('job.by'), value: job.created_by || t('job.platform') },
            ]}
          />
          {job.error && (
            <Text size="sm" className="break">
              {t('job.error')}: {job.error}
            </Text>
          )}
          {job.result && (
            <>
              <Text size="sm" fw={600}>
                {t('job.result')}
              </Text>
              <Code block tabIndex={0} aria-label={t('job.result')}>
                {JSON.stringify(job.result, null, 2)}
              </Code>
            </>
          )}
        </Stack>
      )}
    </Modal>
  );
}
