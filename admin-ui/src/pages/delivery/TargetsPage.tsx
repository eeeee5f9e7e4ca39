import { Button, Text } from '@mantine/core';
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
import type { Job } from '@/components/measure/jobs';
import { Tone } from '@/components/measure/Tone';
import { useTenant } from '@/session/context';
import { JobNote } from './JobNote';
import { isGood, outcomeTone } from './states';
import { EditTarget, loadTarget, NewTarget } from './TargetForm';
import { targetPlace, type Target } from './targetFields';
import { ifMatch, type Versioned } from './versioned';

export default function TargetsPage() {
  const { t } = useTranslation('delivery');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [edited, setEdited] = useState<Versioned<Target> | null>(null);
  const [doomed, setDoomed] = useState<Versioned<Target> | null>(null);
  const [tested, setTested] = useState<{ job: number; name: string } | null>(null);
  const key = tenantKey(tenant, 'targets');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/targets', {
        params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const open = useAction(async ({ target, then }: { target: Target; then: 'edit' | 'delete' }) => {
    const current = await loadTarget(tenant, target.id);
    (then === 'edit' ? setEdited : setDoomed)(current);
  });
  const test = useAction(
    (target: Target) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/targets/{target_id}/test', {
          params: {
            path: { tenant, target_id: target.id },
            header: { 'Idempotency-Key': newIdempotencyKey() },
          },
        }),
      ),
    { done: (job, { name }) => setTested({ job: job.id, name }) },
  );
  const columns: Column<Target>[] = [
    {
      key: 'name',
      title: t('target.name'),
      width: 'minmax(160px, 1.2fr)',
      cell: ({ name }) => <span title={name}>{name}</span>,
    },
    {
      key: 'kind',
      title: t('target.kind'),
      width: 'minmax(140px, 0.7fr)',
      cell: ({ kind }) => t(`kind.${kind}`),
    },
    {
      key: 'place',
      title: t('target.place'),
      width: 'minmax(220px, 2fr)',
      cell: (target) => (
        <span className="mono" title={targetPlace(target)}>
          {targetPlace(target)}
        </span>
      ),
    },
    {
      key: 'partner',
      title: t('target.partner'),
      width: '160px',
      cell: ({ partner }) => <span className="mono">{partner || '–'}</span>,
    },
    {
      key: 'created',
      title: t('target.created'),
      width: '150px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
  ];
  if (may('testTarget'))
    columns.push({
      key: 'test',
      title: t('target.test'),
      width: '110px',
      cell: (target) => (
        <Button
          size="compact-xs"
          variant="default"
          loading={test.isPending && test.variables?.id === target.id}
          onClick={() => test.mutate(target)}
          aria-label={t('target.testOf', { name: target.name })}
        >
          {t('target.testAction')}
        </Button>
      ),
    });
  if (may('updateTarget'))
    columns.push({
      key: 'actions',
      title: '',
      width: '60px',
      align: 'right',
      cell: (target) => (
        <RowMenu
          label={t('actionsOf', { name: target.name })}
          actions={[
            { label: t('common:edit'), run: () => open.mutate({ target, then: 'edit' }) },
            {
              label: t('common:delete'),
              danger: true,
              run: () => open.mutate({ target, then: 'delete' }),
            },
          ]}
        />
      ),
    });
  const add = may('createTarget') && (
    <Button onClick={() => setAdding(true)}>{t('targets.new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('targets.title')} text={t('targets.text')}>
        {add}
      </PageHeader>
      <ProblemAlert error={test.error ?? open.error} />
      {tested && (
        <JobNote
          key={tested.job}
          id={tested.job}
          title={t('target.testTitle', { name: tested.name })}
          close={() => setTested(null)}
          good={({ result }) => isGood(String(result?.outcome))}
        >
          {(job) => <TestResult job={job} />}
        </JobNote>
      )}
      <DataTable
        label={t('targets.title')}
        minWidth={900}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        empty={
          <EmptyState title={t('targets.empty')} text={t('targets.emptyText')}>
            {add}
          </EmptyState>
        }
      />
      {adding && <NewTarget close={() => setAdding(false)} />}
      {edited && <EditTarget current={edited} close={() => setEdited(null)} />}
      <Confirm
        opened={doomed !== null}
        close={() => setDoomed(null)}
        title={t('target.deleteTitle', { name: doomed?.value.name })}
        text={t('target.deleteText')}
        action={t('common:delete')}
        run={async () => {
          if (!doomed) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/targets/{target_id}', {
              params: {
                path: { tenant, target_id: doomed.value.id },
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

/** What became of the sample, and what the server said. */
function TestResult({ job }: { job: Job }) {
  const { t } = useTranslation('delivery');
  const outcome = String(job.result?.outcome ?? 'unknown');
  return (
    <>
      <Text size="sm" component="div">
        <Tone tone={outcomeTone(outcome)}>{t(`outcome.${outcome}`, outcome)}</Tone>
      </Text>
      {typeof job.result?.detail === 'string' && (
        <Text size="sm" className="break">
          {job.result.detail}
        </Text>
      )}
    </>
  );
}
