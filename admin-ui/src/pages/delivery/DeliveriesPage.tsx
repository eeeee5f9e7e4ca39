import { Anchor, Button, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { FilterBar, FilterSelect } from '@/components/measure/FilterBar';
import { useLiveJobs } from '@/components/measure/jobs';
import classes from '@/components/measure/measure.module.css';
import { useFilters } from '@/components/measure/useFilters';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';
import { DeliveryTone } from './DeliveryTone';
import { SendAgain } from './Send';
import { DELIVERY_STATES, mayRepeat, type Delivery, type DeliveryState } from './states';

export default function DeliveriesPage() {
  const { t, i18n } = useTranslation('delivery');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [filters, change] = useFilters(['state', 'file']);
  const [shown, setShown] = useState<number | null>(null);
  const [again, setAgain] = useState<Delivery | null>(null);
  const state = DELIVERY_STATES.find((one) => one === filters.state);
  const file = /^[1-9]\d{0,15}$/.test(filters.file ?? '') ? Number(filters.file) : undefined;
  const list = useCursorList(
    tenantKey(tenant, 'deliveries', 'list', { state, file }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/deliveries', {
          params: {
            path: { tenant },
            query: {
              limit: 100,
              ...(cursor ? { cursor } : {}),
              ...(state ? { state } : {}),
              ...(file ? { file } : {}),
            },
          },
        }),
      ),
    { refetchInterval: 30_000 },
  );
  useLiveJobs(tenant, (job) => {
    if (job.kind === 'delivery')
      void client.invalidateQueries({ queryKey: tenantKey(tenant, 'deliveries') });
  });
  const filtered = state !== undefined || file !== undefined;
  const clear = () => change({ state: undefined, file: undefined });
  const columns: Column<Delivery>[] = [
    {
      key: 'file',
      title: t('delivery.file'),
      width: 'minmax(220px, 2fr)',
      cell: ({ id, file_name }) => (
        <Anchor
          component="button"
          size="sm"
          className={`mono ${classes.ellipsis}`}
          title={file_name}
          onClick={() => setShown(id)}
        >
          {file_name}
        </Anchor>
      ),
    },
    {
      key: 'target',
      title: t('delivery.target'),
      width: 'minmax(120px, 1fr)',
      cell: ({ target_name }) => <span title={target_name}>{target_name}</span>,
    },
    {
      key: 'state',
      title: t('delivery.state'),
      width: '150px',
      cell: (one) => <DeliveryTone state={one.state} />,
    },
    {
      key: 'tries',
      title: t('delivery.tries'),
      width: '90px',
      align: 'right',
      cell: ({ tries }) => formatCount(tries, i18n.language),
    },
    {
      key: 'detail',
      title: t('delivery.detail'),
      width: 'minmax(180px, 2fr)',
      cell: ({ detail }) => <span title={detail || undefined}>{detail || '–'}</span>,
    },
    {
      key: 'tried',
      title: t('delivery.tried'),
      width: '145px',
      cell: ({ tried_at }) => <Time at={tried_at} />,
    },
  ];
  if (may('createDelivery'))
    columns.push({
      key: 'again',
      title: '',
      width: '150px',
      cell: (one) =>
        mayRepeat(one) ? (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => setAgain(one)}
            aria-label={t('send.againOf', { file: one.file_name, target: one.target_name })}
          >
            {t('send.again')}
          </Button>
        ) : null,
    });
  const detail = list.rows.find(({ id }) => id === shown) ?? null;
  return (
    <>
      <PageHeader title={t('deliveries.title')} text={t('deliveries.text')} />
      <FilterBar active={filtered} clear={clear}>
        <FilterSelect
          label={t('delivery.state')}
          all={t('common:all')}
          value={state}
          onChange={(value) => change({ state: value as DeliveryState | undefined })}
          options={DELIVERY_STATES.map((value) => ({ value, label: t(`state.${value}`) }))}
        />
      </FilterBar>
      <DataTable
        label={t('deliveries.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        height="calc(100dvh - 280px)"
        minWidth={1120}
        empty={
          filtered ? (
            <EmptyState title={t('deliveries.noneMatch')} text={t('deliveries.noneMatchText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('deliveries.showAll')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('deliveries.empty')} text={t('deliveries.emptyText')} />
          )
        }
      />
      <Modal
        opened={detail !== null}
        onClose={() => setShown(null)}
        title={t('delivery.details')}
        size="lg"
        closeButtonProps={{ 'aria-label': t('common:close') }}
      >
        {detail && <DeliveryFacts delivery={detail} />}
      </Modal>
      <SendAgain delivery={again} close={() => setAgain(null)} />
    </>
  );
}

function DeliveryFacts({ delivery: one }: { delivery: Delivery }) {
  const { t } = useTranslation('delivery');
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          { label: t('delivery.file'), value: <span className="mono break">{one.file_name}</span> },
          { label: t('delivery.target'), value: one.target_name },
          { label: t('delivery.state'), value: <DeliveryTone state={one.state} /> },
          {
            label: t('delivery.outcome'),
            value: one.outcome ? t(`outcome.${one.outcome}`, one.outcome) : '–',
          },
          { label: t('delivery.tries'), value: String(one.tries) },
          { label: t('delivery.created'), value: <Time at={one.created_at} seconds /> },
          { label: t('delivery.tried'), value: <Time at={one.tried_at} seconds /> },
          { label: t('delivery.ended'), value: <Time at={one.ended_at} seconds /> },
          { label: t('delivery.by'), value: one.created_by },
        ]}
      />
      {one.detail && (
        <Text size="sm" className="break">
          {one.detail}
        </Text>
      )}
      <Text size="sm" c="var(--emt-dimmed)">
        {t(`stateText.${one.state}`)}
      </Text>
    </Stack>
  );
}
