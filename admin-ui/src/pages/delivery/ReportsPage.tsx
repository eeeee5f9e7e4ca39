import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { ProblemAlert } from '@/components/ProblemAlert';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import { EditReport, NewReport } from './ReportForm';
import { loadReport, type ReportTemplate } from './useReports';
import { ifMatch, type Versioned } from './versioned';

export default function ReportsPage() {
  const { t } = useTranslation('reports');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [edited, setEdited] = useState<Versioned<ReportTemplate> | null>(null);
  const [doomed, setDoomed] = useState<Versioned<ReportTemplate> | null>(null);
  const key = tenantKey(tenant, 'report-templates');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/report-templates', {
        params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const open = useAction(
    async ({ report, then }: { report: ReportTemplate; then: 'edit' | 'delete' }) => {
      const current = await loadReport(tenant, report.id);
      (then === 'edit' ? setEdited : setDoomed)(current);
    },
  );
  const columns: Column<ReportTemplate>[] = [
    {
      key: 'name',
      title: t('field.name'),
      width: 'minmax(140px, 1.4fr)',
      cell: ({ name }) => <span title={name}>{name}</span>,
    },
    {
      key: 'shape',
      title: t('field.shape'),
      width: 'minmax(150px, 1.2fr)',
      cell: ({ definition }) => t(`word.shape.${definition.shape}`),
    },
    {
      key: 'format',
      title: t('field.format'),
      width: '100px',
      cell: ({ definition }) => t(`word.format.${definition.format}`),
    },
    {
      key: 'columns',
      title: t('field.columns'),
      width: 'minmax(160px, 2fr)',
      cell: ({ definition }) => {
        const names = definition.columns.map((one) => one.split('=')[0]).join(', ');
        return <span title={names}>{names}</span>;
      },
    },
    {
      key: 'created',
      title: t('created'),
      width: '132px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
  ];
  if (may('updateReportTemplate'))
    columns.push({
      key: 'actions',
      title: '',
      width: '40px',
      align: 'right',
      cell: (report) => (
        <RowMenu
          label={t('actionsOf', { name: report.name })}
          actions={[
            { label: t('common:edit'), run: () => open.mutate({ report, then: 'edit' }) },
            {
              label: t('common:delete'),
              danger: true,
              run: () => open.mutate({ report, then: 'delete' }),
            },
          ]}
        />
      ),
    });
  const add = may('createReportTemplate') && (
    <Button onClick={() => setAdding(true)}>{t('new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('title')} text={t('text')}>
        {add}
      </PageHeader>
      <ProblemAlert error={open.error} />
      <DataTable
        label={t('title')}
        minWidth={760}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        empty={
          <EmptyState title={t('empty')} text={t('emptyText')}>
            {add}
          </EmptyState>
        }
      />
      {adding && <NewReport close={() => setAdding(false)} />}
      {edited && <EditReport current={edited} close={() => setEdited(null)} />}
      <Confirm
        opened={doomed !== null}
        close={() => setDoomed(null)}
        title={t('deleteTitle', { name: doomed?.value.name })}
        text={t('deleteText')}
        action={t('common:delete')}
        run={async () => {
          if (!doomed) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/report-templates/{template_id}', {
              params: {
                path: { tenant, template_id: doomed.value.id },
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
