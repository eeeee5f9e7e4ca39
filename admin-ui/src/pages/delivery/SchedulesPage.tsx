import { Button, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { ProblemAlert } from '@/components/ProblemAlert';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { jobEnded, useLiveJobs, type Job } from '@/components/measure/jobs';
import { Tone } from '@/components/measure/Tone';
import { useTenant } from '@/session/context';
import { describe, readCron } from './cron';
import { DeliveryTone } from './DeliveryTone';
import { JobNote } from './JobNote';
import { EditSchedule, loadSchedule, NewSchedule, type Schedule } from './ScheduleForm';
import { gravest, ofLastRun } from './states';
import { useRecentDeliveries } from './useDeliveries';
import { useReports } from './useReports';
import { useTargets } from './useTargets';
import { ifMatch, type Versioned } from './versioned';

export default function SchedulesPage() {
  const { t } = useTranslation(['delivery', 'measure']);
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const targets = useTargets();
  const reports = useReports();
  const { data: recent } = useRecentDeliveries();
  const [adding, setAdding] = useState(false);
  const [edited, setEdited] = useState<Versioned<Schedule> | null>(null);
  const [doomed, setDoomed] = useState<Versioned<Schedule> | null>(null);
  const [ordered, setOrdered] = useState<{ job: number; name: string } | null>(null);
  const key = tenantKey(tenant, 'schedules');
  const list = useCursorList(
    key,
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/schedules', {
          params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
        }),
      ),
    { refetchInterval: 30_000 },
  );
  useLiveJobs(tenant, (job) => {
    if (!jobEnded(job) || !['schedule', 'delivery'].includes(job.kind)) return;
    void client.invalidateQueries({ queryKey: key });
    void client.invalidateQueries({ queryKey: tenantKey(tenant, 'deliveries') });
  });
  const open = useAction(
    async ({ schedule, then }: { schedule: Schedule; then: 'edit' | 'delete' }) => {
      const current = await loadSchedule(tenant, schedule.id);
      (then === 'edit' ? setEdited : setDoomed)(current);
    },
  );
  const enable = useAction(
    async ({ id, enabled }: Schedule) => {
      // Guarded by what is read now: the switch means this schedule as it stands.
      const { etag } = await loadSchedule(tenant, id);
      return call(
        api.PATCH('/api/v1/tenants/{tenant}/schedules/{schedule_id}', {
          params: { path: { tenant, schedule_id: id }, header: ifMatch(etag) },
          body: { enabled: !enabled },
        }),
      );
    },
    { changes: [key] },
  );
  const start = useAction(
    ({ id }: Schedule) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/schedules/{schedule_id}/run', {
          params: {
            path: { tenant, schedule_id: id },
            header: { 'Idempotency-Key': newIdempotencyKey() },
          },
        }),
      ),
    { done: (job, { name }) => setOrdered({ job: job.id, name }) },
  );
  const columns: Column<Schedule>[] = [
    {
      key: 'name',
      title: t('schedule.name'),
      width: 'minmax(110px, 1.1fr)',
      cell: ({ name }) => <span title={name}>{name}</span>,
    },
    {
      key: 'state',
      title: t('schedule.state'),
      width: '75px',
      cell: ({ enabled }) => (
        <Tone tone={enabled ? 'good' : 'calm'}>{t(enabled ? 'schedule.on' : 'schedule.off')}</Tone>
      ),
    },
    {
      key: 'cron',
      title: t('schedule.when'),
      width: 'minmax(150px, 1.8fr)',
      cell: (schedule) => <When schedule={schedule} />,
    },
    {
      key: 'what',
      title: t('schedule.what'),
      width: 'minmax(100px, 1.2fr)',
      cell: ({ pid, document, template, location }) => (
        <span title={location ?? undefined}>
          {pid ?? t('schedule.report', { name: reports.name(template) })} {document}{' '}
          {location ?? (pid ? t(`measure:pid.${pid}`) : '')}
        </span>
      ),
    },
    {
      key: 'target',
      title: t('schedule.target'),
      width: 'minmax(90px, 1fr)',
      cell: ({ target }) => targets.name(target),
    },
    {
      key: 'next',
      title: t('schedule.next'),
      width: '132px',
      cell: ({ next_run_at }) => <Time at={next_run_at} />,
    },
    {
      key: 'last',
      title: t('schedule.last'),
      width: '132px',
      cell: ({ last_run_at }) => (last_run_at ? <Time at={last_run_at} /> : t('common:never')),
    },
    {
      key: 'result',
      title: t('schedule.result'),
      width: '140px',
      cell: (schedule) => {
        const state = gravest(ofLastRun(recent?.items ?? [], schedule));
        return state ? <DeliveryTone state={state} /> : '–';
      },
    },
  ];
  if (may('runSchedule'))
    columns.push({
      key: 'actions',
      title: '',
      width: '40px',
      align: 'right',
      cell: (schedule) => (
        <RowMenu
          label={t('actionsOf', { name: schedule.name })}
          actions={[
            { label: t('schedule.run'), run: () => start.mutate(schedule) },
            { label: t('common:edit'), run: () => open.mutate({ schedule, then: 'edit' }) },
            {
              label: t(schedule.enabled ? 'schedule.disable' : 'schedule.enable'),
              run: () => enable.mutate(schedule),
            },
            {
              label: t('common:delete'),
              danger: true,
              run: () => open.mutate({ schedule, then: 'delete' }),
            },
          ]}
        />
      ),
    });
  const add = may('createSchedule') && (
    <Button onClick={() => setAdding(true)}>{t('schedules.new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('schedules.title')} text={t('schedules.text')}>
        {add}
      </PageHeader>
      <ProblemAlert error={start.error ?? enable.error ?? open.error} />
      {ordered && (
        <JobNote
          key={ordered.job}
          id={ordered.job}
          title={t('schedule.runTitle', { name: ordered.name })}
          close={() => setOrdered(null)}
        >
          {(job) => <RunResult job={job} />}
        </JobNote>
      )}
      <DataTable
        label={t('schedules.title')}
        minWidth={1090}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        empty={
          <EmptyState title={t('schedules.empty')} text={t('schedules.emptyText')}>
            {add}
          </EmptyState>
        }
      />
      {adding && <NewSchedule targets={targets.list} close={() => setAdding(false)} />}
      {edited && (
        <EditSchedule current={edited} targets={targets.list} close={() => setEdited(null)} />
      )}
      <Confirm
        opened={doomed !== null}
        close={() => setDoomed(null)}
        title={t('schedule.deleteTitle', { name: doomed?.value.name })}
        text={t('schedule.deleteText')}
        action={t('common:delete')}
        run={async () => {
          if (!doomed) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/schedules/{schedule_id}', {
              params: {
                path: { tenant, schedule_id: doomed.value.id },
                header: ifMatch(doomed.etag),
              },
            }),
          );
          await client.invalidateQueries({ queryKey: key });
        }}
      />
    </>
  );
}

/** The pattern in words; as it is written in the tooltip. */
function When({ schedule }: { schedule: Schedule }) {
  const { t, i18n } = useTranslation('delivery');
  const { cron, time_zone, on_event, after_readout } = schedule;
  const calls = [...on_event, ...(after_readout ? [t('schedule.afterReadout')] : [])].join(', ');
  if (cron === '') return <span title={calls}>{calls}</span>;
  const read = readCron(cron);
  if ('fault' in read) return <span className="mono">{cron}</span>;
  const words = read.patterns
    .map((one) => describe(one, i18n.language, (key, values) => t(key, { ...values })))
    .join('; ');
  return (
    <span title={`${words} (${cron}, ${time_zone})`}>
      {time_zone === 'UTC' ? `${words} (UTC)` : words}
    </span>
  );
}

const SHOWN = 50;

function RunResult({ job }: { job: Job }) {
  const { t } = useTranslation('delivery');
  const { files = [], notes = [] } = (job.result ?? {}) as {
    files?: { id: number; file_name: string }[];
    notes?: string[];
  };
  return (
    <Stack gap={2}>
      <Text size="sm">{t('schedule.files', { count: files.length })}</Text>
      {files.slice(0, SHOWN).map(({ id, file_name }) => (
        <Text key={id} size="sm" className="mono break">
          {file_name}
        </Text>
      ))}
      {notes.slice(0, SHOWN).map((note, index) => (
        <Text key={index} size="sm" className="break">
          {note}
        </Text>
      ))}
      {notes.length > SHOWN && (
        <Text size="sm">{t('schedule.moreNotes', { count: notes.length - SHOWN })}</Text>
      )}
    </Stack>
  );
}
