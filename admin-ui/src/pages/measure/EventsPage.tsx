import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { useLive, usePolling } from '@/api/stream';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { SEVERITIES, SeverityTone, type Severity } from '@/components/measure/Tone';
import { useFilters } from '@/components/measure/useFilters';
import { useTenant } from '@/session/context';

type Event = Schemas['Event'];
const SETTLE_MS = 1_500;

export default function EventsPage() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [filters, change] = useFilters(['severity', 'kind', 'from']);
  const { severity, kind, from } = filters;
  const polling = usePolling(tenant, 15_000);
  const list = useCursorList(
    tenantKey(tenant, 'events', { severity, kind, from }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/events', {
          params: {
            path: { tenant },
            query: {
              limit: 100,
              ...(cursor ? { cursor } : {}),
              ...(severity ? { severity: severity as Severity } : {}),
              ...(kind ? { kind } : {}),
              ...(from ? { from } : {}),
            },
          },
        }),
      ),
    { refetchInterval: polling },
  );
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useLive(tenant, 'events', () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(
      () => void client.invalidateQueries({ queryKey: tenantKey(tenant, 'events') }),
      SETTLE_MS,
    );
  });
  const filtered = Object.keys(filters).length > 0;
  const clear = () => change({ severity: undefined, kind: undefined, from: undefined });
  const columns: Column<Event>[] = [
    {
      key: 'at',
      title: t('event.at'),
      width: '170px',
      cell: ({ at }) => <Time at={at} seconds />,
    },
    {
      key: 'severity',
      title: t('event.severity'),
      width: '130px',
      cell: (event) => <SeverityTone severity={event.severity} />,
    },
    {
      key: 'kind',
      title: t('event.kind'),
      width: 'minmax(180px, 1fr)',
      cell: (event) => t(`eventKind.${event.kind}`, { defaultValue: event.kind }),
    },
    {
      key: 'gateway',
      title: t('frame.gateway'),
      width: 'minmax(110px, 0.7fr)',
      cell: ({ gateway }) =>
        gateway ? (
          <Anchor component={Link} size="sm" to={`/t/${tenant}/gateways/${gateway}`}>
            {gateway}
          </Anchor>
        ) : (
          '–'
        ),
    },
    {
      key: 'device',
      title: t('frame.device'),
      width: 'minmax(180px, 1fr)',
      cell: ({ device }) =>
        device ? (
          <Anchor
            component={Link}
            size="sm"
            className="mono"
            to={`/t/${tenant}/devices/${encodeURIComponent(device)}`}
          >
            {device}
          </Anchor>
        ) : (
          '–'
        ),
    },
    {
      key: 'detail',
      title: t('event.detail'),
      width: 'minmax(220px, 2fr)',
      cell: ({ detail }) => <span title={detail}>{detail}</span>,
    },
  ];
  const since = (days: string) =>
    new Date(Math.floor(Date.now() / 60_000) * 60_000 - Number(days) * 86_400_000).toISOString();
  return (
    <>
      <PageHeader title={t('events.title')} text={t('events.text')} />
      <FilterBar active={filtered} clear={clear}>
        <FilterSelect
          label={t('event.severity')}
          all={t('filter.all')}
          value={severity}
          onChange={(value) => change({ severity: value })}
          options={SEVERITIES.map((value) => ({ value, label: t(`severity.${value}`) }))}
        />
        <FilterText
          label={t('event.kind')}
          placeholder="clock-ahead"
          value={kind}
          onChange={(value) => change({ kind: value })}
        />
        <FilterSelect
          label={t('filter.period')}
          all={t('filter.anyTime')}
          value={from ? 'chosen' : undefined}
          onChange={(value) => change({ from: value ? since(value) : undefined })}
          options={[
            ...(from ? [{ value: 'chosen', label: t('filter.chosen') }] : []),
            { value: '1', label: t('filter.lastDay') },
            { value: '7', label: t('filter.lastWeek') },
            { value: '30', label: t('filter.lastMonth') },
          ]}
        />
      </FilterBar>
      <DataTable
        label={t('events.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        height="calc(100dvh - 280px)"
        minWidth={1000}
        empty={
          filtered ? (
            <EmptyState title={t('filter.none')} text={t('filter.noneText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('filter.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('events.empty')} text={t('events.emptyText')} />
          )
        }
      />
    </>
  );
}
