import { Button, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Ago } from '@/components/Time';
import { CsvImport } from '@/components/measure/CsvImport';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { MEDIA, mediumLabel } from '@/components/measure/labels';
import { mainChannel } from '@/components/measure/series';
import { displayUnit } from '@/components/measure/decimal';
import { Tone } from '@/components/measure/Tone';
import { useFilters } from '@/components/measure/useFilters';
import { formatQuantity } from '@/lib/decimal';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';

type Device = Schemas['Device'];
const HOUR_MS = 3_600_000;
const ASSIGNMENTS = ['adopted', 'heard', 'ignored'] as const;

export default function DevicesPage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const now = useNow(60_000);
  const [importing, setImporting] = useState(false);
  const [filters, change] = useFilters([
    'q',
    'medium',
    'assignment',
    'active',
    'gateway',
    'silent',
  ]);
  const { q, medium, assignment, active, gateway, silent } = filters;
  const all = useCursorList(
    tenantKey(tenant, 'devices', { q, medium, assignment, active, gateway }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/devices', {
          params: {
            path: { tenant },
            query: {
              limit: 200,
              ...(cursor ? { cursor } : {}),
              ...(q ? { q } : {}),
              ...(medium ? { medium } : {}),
              ...(assignment ? { assignment: assignment as Device['assignment'] } : {}),
              ...(active ? { active: active === 'true' } : {}),
              ...(gateway ? { gateway } : {}),
            },
          },
        }),
      ),
    { refetchInterval: 60_000 },
  );
  // The API does not know this filter: pages are asked for until the rows in view are full.
  const hours = Number(silent);
  const list = useMemo(() => {
    if (!(hours > 0)) return all;
    const rows = all.rows.filter(
      ({ last_seen_at }) => !last_seen_at || now - Date.parse(last_seen_at) > hours * HOUR_MS,
    );
    return { ...all, rows, loading: all.loading || (rows.length === 0 && all.hasMore) };
  }, [all, hours, now]);
  const searching = hours > 0 && list.rows.length === 0 && all.hasMore;
  const { more, loadingMore, error } = all;
  useEffect(() => {
    if (searching && !loadingMore && !error) more();
  }, [searching, loadingMore, error, more]);

  const filtered = Object.keys(filters).length > 0;
  const clear = () =>
    change({
      q: undefined,
      medium: undefined,
      assignment: undefined,
      active: undefined,
      gateway: undefined,
      silent: undefined,
    });
  const columns: Column<Device>[] = [
    {
      key: 'id',
      title: t('device.ident'),
      width: 'minmax(190px, 1.4fr)',
      cell: ({ id }) => <span className="mono">{id}</span>,
    },
    {
      key: 'name',
      title: t('device.name'),
      width: 'minmax(120px, 1.2fr)',
      cell: ({ name }) => name || '–',
    },
    {
      key: 'medium',
      title: t('device.medium'),
      width: 'minmax(120px, 1fr)',
      cell: (device) => mediumLabel(t, device.medium),
    },
    {
      key: 'place',
      title: t('device.place'),
      width: 'minmax(110px, 1fr)',
      cell: ({ place }) => place || '–',
    },
    {
      key: 'value',
      title: t('device.lastValue'),
      width: 'minmax(150px, 1fr)',
      align: 'right',
      cell: ({ id }) => <LastValue device={id} />,
    },
    {
      key: 'seen',
      title: t('device.lastSeen'),
      width: 'minmax(120px, 0.9fr)',
      cell: ({ last_seen_at }) =>
        last_seen_at ? (
          <Ago at={last_seen_at} />
        ) : (
          <Text span inherit>
            {t('device.never')}
          </Text>
        ),
    },
    {
      key: 'assignment',
      title: t('device.assignment'),
      width: 'minmax(130px, 0.9fr)',
      cell: (device) => <Assignment device={device} />,
    },
  ];
  return (
    <>
      <PageHeader title={t('devices.title')} text={t('devices.text')}>
        {may('importDevices') && (
          <Button variant="default" onClick={() => setImporting(true)}>
            {t('import.open')}
          </Button>
        )}
      </PageHeader>
      <FilterBar active={filtered} clear={clear}>
        <FilterText
          label={t('devices.search')}
          placeholder={t('devices.searchHint')}
          value={q}
          width={230}
          onChange={(value) => change({ q: value })}
        />
        <FilterSelect
          label={t('device.medium')}
          all={t('filter.all')}
          value={medium}
          onChange={(value) => change({ medium: value })}
          options={MEDIA.map((value) => ({ value, label: mediumLabel(t, value) }))}
        />
        <FilterSelect
          label={t('device.assignment')}
          all={t('filter.all')}
          value={assignment}
          onChange={(value) => change({ assignment: value })}
          options={ASSIGNMENTS.map((value) => ({ value, label: t(`assignment.${value}`) }))}
        />
        <FilterSelect
          label={t('device.active')}
          all={t('filter.all')}
          value={active}
          onChange={(value) => change({ active: value })}
          options={[
            { value: 'true', label: t('device.activeYes') },
            { value: 'false', label: t('device.activeNo') },
          ]}
        />
        <FilterText
          label={t('device.gateway')}
          value={gateway}
          width={150}
          onChange={(value) => change({ gateway: value })}
        />
        <FilterSelect
          label={t('devices.silence')}
          all={t('filter.all')}
          value={silent}
          onChange={(value) => change({ silent: value })}
          options={[
            { value: '24', label: t('devices.silent', { count: 24 }) },
            { value: '168', label: t('devices.silentDays', { count: 7 }) },
          ]}
        />
      </FilterBar>
      <DataTable
        label={t('devices.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        href={({ id }) => `/t/${tenant}/devices/${encodeURIComponent(id)}`}
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
            <EmptyState title={t('devices.empty')} text={t('devices.emptyText')} />
          )
        }
      />
      <CsvImport
        opened={importing}
        close={() => setImporting(false)}
        title={t('devices.import')}
        help={t('devices.importHelp')}
        example={
          'id;name;place;active;assignment\nKAM-60723506-19-0c;Heizung West;Keller;true;adopted'
        }
        send={async (csv, key) => {
          const result = await call(
            api.POST('/api/v1/tenants/{tenant}/devices/import', {
              params: { path: { tenant }, header: { 'Idempotency-Key': key } },
              headers: { 'Content-Type': 'text/csv' },
              body: csv as never,
              bodySerializer: (body: unknown) => String(body),
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'devices') });
          return result;
        }}
      />
    </>
  );
}

function Assignment({ device }: { device: Device }) {
  const { t } = useTranslation('measure');
  const { assignment, active } = device;
  if (assignment === 'heard') return <Tone tone="wait">{t('assignment.heard')}</Tone>;
  if (assignment === 'ignored') return <Tone tone="calm">{t('assignment.ignored')}</Tone>;
  return active ? (
    <Tone tone="good">{t('device.activeYes')}</Tone>
  ) : (
    <Tone tone="calm">{t('device.activeNo')}</Tone>
  );
}

/** Asked for by the rows in view only. */
function LastValue({ device }: { device: string }) {
  const { i18n } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data } = useQuery({
    queryKey: tenantKey(tenant, 'device', device, 'channels'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/devices/{device}/channels', {
          params: { path: { tenant, device }, query: { limit: 200 } },
        }),
      ),
    staleTime: 60_000,
  });
  const channel = mainChannel(data?.items ?? []);
  if (!channel?.last)
    return (
      <Text span inherit>
        {data ? '–' : ''}
      </Text>
    );
  const { value, ts } = channel.last;
  return (
    <span title={ts}>
      {formatQuantity(value, displayUnit(channel.unit) || null, i18n.language)}
    </span>
  );
}
