import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FilterDay } from '@/components/FilterDay';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { displayUnit } from '@/components/measure/decimal';
import { channelLabel } from '@/components/measure/labels';
import { dayText } from '@/components/measure/localTime';
import { staticList } from '@/components/measure/staticList';
import { QualityTone } from '@/components/measure/Tone';
import { dayEnd, dayStart } from '@/lib/days';
import { formatQuantity } from '@/lib/decimal';
import { useTenant } from '@/session/context';
import { CorrectValue } from './CorrectValue';
import { Corrections } from './Corrections';

type Channel = Schemas['Channel'];
type Reading = Schemas['Reading'];

/** A channel's values day by day, and what people set in the place of measured ones. */
export default function ChannelPage() {
  const { t } = useTranslation('values');
  const { t: measure } = useTranslation('measure');
  const { tenant } = useTenant();
  const id = Number(useParams<{ channel: string }>().channel);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'channel', id),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/channels/{channel}', {
          params: { path: { tenant, channel: id } },
        }),
      ),
  });
  if (error && !data)
    return (
      <>
        <PageHeader title={t('channel.title', { id })} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  if (!data) return <PageLoading />;
  const device = `/t/${tenant}/devices/${encodeURIComponent(data.device)}`;
  return (
    <>
      <PageHeader
        title={t('channel.title', { id })}
        path={[
          { label: measure('devices.title'), to: `/t/${tenant}/devices` },
          { label: data.device, to: device },
        ]}
        badges={<Text size="sm">{channelLabel(measure, data)}</Text>}
      />
      <Stack gap="md">
        <Panel title={t('channel.facts')}>
          <Facts
            facts={[
              {
                label: t('channel.device'),
                value: (
                  <Anchor component={Link} size="sm" className="mono" to={device}>
                    {data.device}
                  </Anchor>
                ),
              },
              { label: t('channel.what'), value: channelLabel(measure, data) },
              { label: 'OBIS', value: <span className="mono">{data.obis ?? '–'}</span> },
              { label: t('channel.unit'), value: displayUnit(data.unit) || '–' },
              { label: t('channel.kind'), value: t(`kind.${data.kind}`) },
            ]}
          />
        </Panel>
        <DayOfValues channel={data} />
        <Corrections channel={data} />
      </Stack>
    </>
  );
}

function DayOfValues({ channel }: { channel: Channel }) {
  const { t, i18n } = useTranslation(['values', 'sent']);
  const { tenant, may } = useTenant();
  const [day, setDay] = useState<string | undefined>(() => dayText(Date.now()));
  const [correcting, setCorrecting] = useState<{ ts: string | null } | null>(null);
  const from = dayStart(day);
  const to = dayEnd(day);
  const { data, error, isPending, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'channel', channel.id, 'day', day),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/channels/{channel}/readings', {
          params: {
            path: { tenant, channel: channel.id },
            query: { from: from ?? '', to: to ?? '', limit: 2000 },
          },
        }),
      ),
    enabled: from !== undefined,
  });
  const items =
    data && typeof data !== 'string' && 'items' in data ? (data.items as Reading[]) : [];
  const editable = may('createCorrections') && channel.kind === 'number';
  const unit = displayUnit(channel.unit) || null;
  const columns: Column<Reading>[] = [
    { key: 'ts', title: t('value.at'), width: '170px', cell: ({ ts }) => <Time at={ts} seconds /> },
    {
      key: 'value',
      title: t('value.value'),
      width: 'minmax(160px, 1fr)',
      align: 'right',
      cell: ({ value }) =>
        channel.kind === 'number' ? formatQuantity(value, unit, i18n.language) : value,
    },
    {
      key: 'quality',
      title: t('value.quality'),
      width: '140px',
      cell: ({ quality }) => <QualityTone quality={quality} />,
    },
    ...(may('traceValue')
      ? [
          {
            key: 'trace',
            title: t('sent:trace.open'),
            width: '90px',
            cell: ({ ts }: Reading) => (
              <Anchor
                component={Link}
                size="sm"
                to={`/t/${tenant}/channels/${channel.id}/trace?at=${encodeURIComponent(ts)}`}
                aria-label={t('sent:trace.openOf', { time: ts })}
              >
                {t('sent:trace.open')}
              </Anchor>
            ),
          },
        ]
      : []),
    ...(editable
      ? [
          {
            key: 'correct',
            title: t('value.action'),
            width: '120px',
            cell: ({ ts }: Reading) => (
              <Button size="compact-xs" variant="default" onClick={() => setCorrecting({ ts })}>
                {t('correct.open')}
              </Button>
            ),
          },
        ]
      : []),
  ];
  return (
    <Panel title={t('day.title')}>
      <Group justify="space-between" align="end" mb="xs">
        <FilterDay label={t('day.label')} value={day} onChange={setDay} />
        {editable && from && (
          <Button size="xs" onClick={() => setCorrecting({ ts: null })}>
            {t('correct.title')}
          </Button>
        )}
      </Group>
      <ProblemAlert error={error} retry={() => void refetch()} />
      <DataTable
        label={t('day.title')}
        columns={columns}
        list={{ ...staticList(items), loading: isPending && from !== undefined }}
        rowKey={({ ts }) => ts}
        empty={<EmptyState title={t('day.empty')} text={t('day.emptyText')} />}
      />
      {correcting && from && to && (
        <CorrectValue
          channel={channel}
          span={{ from: Date.parse(from), to: Date.parse(to) }}
          values={items}
          ts={correcting.ts}
          close={() => setCorrecting(null)}
        />
      )}
    </Panel>
  );
}
