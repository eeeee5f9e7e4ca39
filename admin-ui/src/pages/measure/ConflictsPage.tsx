import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { displayUnit } from '@/components/measure/decimal';
import { channelLabel } from '@/components/measure/labels';
import { formatQuantity } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type Conflict = Schemas['Conflict'];

export default function ConflictsPage() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const list = useCursorList(tenantKey(tenant, 'conflicts'), (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/conflicts', {
        params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const columns: Column<Conflict>[] = [
    {
      key: 'channel',
      title: t('conflict.channel'),
      width: 'minmax(300px, 2fr)',
      cell: ({ channel }) => <ChannelCell channel={channel} />,
    },
    {
      key: 'ts',
      title: t('conflict.ts'),
      width: '170px',
      cell: ({ ts }) => <Time at={ts} seconds />,
    },
    {
      key: 'kept',
      title: t('conflict.kept'),
      width: 'minmax(140px, 1fr)',
      align: 'right',
      cell: ({ channel, kept }) => <Value channel={channel} value={kept} />,
    },
    {
      key: 'value',
      title: t('conflict.value'),
      width: 'minmax(140px, 1fr)',
      align: 'right',
      cell: ({ channel, value }) => <Value channel={channel} value={value} />,
    },
    {
      key: 'seen',
      title: t('conflict.seen'),
      width: '160px',
      cell: ({ seen_at }) => <Time at={seen_at} />,
    },
  ];
  return (
    <>
      <PageHeader title={t('conflicts.title')} text={t('conflicts.text')} />
      <DataTable
        label={t('conflicts.title')}
        columns={columns}
        list={list}
        rowKey={({ channel, ts, value }) => `${channel} ${ts} ${value}`}
        empty={<EmptyState title={t('conflicts.empty')} text={t('conflicts.emptyText')} />}
      />
    </>
  );
}

/** The list names the channel's number only; what that is does not change and is asked once. */
function useChannel(channel: number) {
  const { tenant } = useTenant();
  return useQuery({
    queryKey: tenantKey(tenant, 'channel', channel),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/channels/{channel}', {
          params: { path: { tenant, channel } },
        }),
      ),
    staleTime: Infinity,
  }).data;
}

function ChannelCell({ channel }: { channel: number }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const data = useChannel(channel);
  if (!data) return <>{channel}</>;
  return (
    <>
      <Anchor
        component={Link}
        size="sm"
        className="mono"
        to={`/t/${tenant}/devices/${encodeURIComponent(data.device)}`}
      >
        {data.device}
      </Anchor>{' '}
      {channelLabel(t, data)} {data.obis}
    </>
  );
}

function Value({ channel, value }: { channel: number; value: string }) {
  const { i18n } = useTranslation('measure');
  const data = useChannel(channel);
  return <>{formatQuantity(value, displayUnit(data?.unit ?? null) || null, i18n.language)}</>;
}
