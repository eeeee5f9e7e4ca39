import {
  Alert,
  Anchor,
  Button,
  Checkbox,
  Group,
  Stack,
  Switch,
  Table,
  Text,
  TextInput,
  NativeSelect,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, callFull, type Schemas } from '@/api/client';
import { asApiError } from '@/api/problem';
import { tenantKey } from '@/api/query';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Ago, Time } from '@/components/Time';
import { CURVES_MAX, LoadCurve } from '@/components/measure/LoadCurve';
import { displayUnit } from '@/components/measure/decimal';
import { channelLabel, deviceTitle, mediumLabel } from '@/components/measure/labels';
import classes from '@/components/measure/measure.module.css';
import { inOrder, mainChannel } from '@/components/measure/series';
import { FrameStateTone, QualityTone, Tone } from '@/components/measure/Tone';
import { formatQuantity } from '@/lib/decimal';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';

type Device = Schemas['Device'];
type Channel = Schemas['Channel'];

interface Versioned {
  device: Device;
  etag: string | null;
}

export default function DevicePage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const id = decodeURIComponent(useParams<{ device: string }>().device ?? '');
  const [editing, setEditing] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'device', id),
    queryFn: () => loadDevice(tenant, id),
    refetchInterval: 60_000,
  });
  const channels = useQuery({
    queryKey: tenantKey(tenant, 'device', id, 'channels'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/devices/{device}/channels', {
          params: { path: { tenant, device: id }, query: { limit: 200 } },
        }),
      ),
    refetchInterval: 60_000,
  });
  const path = [{ label: t('devices.title'), to: `/t/${tenant}/devices` }];
  if (error && !data)
    return (
      <>
        <PageHeader title={id} path={path} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  if (!data) return <PageLoading />;
  const { device } = data;
  return (
    <>
      <PageHeader
        title={deviceTitle(device)}
        path={path}
        badges={<Text size="sm">{mediumLabel(t, device.medium)}</Text>}
      >
        {may('updateDevice') && (
          <Button onClick={() => setEditing(true)}>{t('common:edit')}</Button>
        )}
      </PageHeader>
      <Stack gap="md">
        <Panel title={t('device.facts')}>
          <DeviceFacts device={device} />
        </Panel>
        <ProblemAlert
          error={channels.data ? null : channels.error}
          retry={() => void channels.refetch()}
        />
        {channels.data && <Values device={device} channels={channels.data.items} />}
        <LastFrames device={id} />
      </Stack>
      {editing && <EditDevice current={data} close={() => setEditing(false)} />}
    </>
  );
}

function DeviceFacts({ device }: { device: Device }) {
  const { t } = useTranslation('measure');
  return (
    <Facts
      facts={[
        { label: t('device.ident'), value: <span className="mono">{device.id}</span> },
        { label: t('device.name'), value: device.name || '–' },
        { label: t('device.place'), value: device.place || '–' },
        { label: t('device.manufacturer'), value: device.manufacturer },
        { label: t('device.number'), value: <span className="mono">{device.number}</span> },
        {
          label: t('device.versionType'),
          value: device.version === null ? '–' : `${device.version} / ${device.type ?? '–'}`,
        },
        { label: t('device.medium'), value: mediumLabel(t, device.medium) },
        {
          label: t('device.assignment'),
          value: (
            <Tone tone={device.assignment === 'adopted' ? 'good' : 'wait'}>
              {t(`assignment.${device.assignment}`)}
            </Tone>
          ),
        },
        {
          label: t('device.active'),
          value: t(device.active ? 'device.activeYes' : 'device.activeNo'),
        },
        {
          label: t('device.plaintextShort'),
          value: t(device.accept_plaintext ? 'device.plaintextYes' : 'device.plaintextNo'),
        },
        { label: t('device.lastSeen'), value: <Ago at={device.last_seen_at} /> },
        { label: t('device.created'), value: <Time at={device.created_at} /> },
      ]}
    />
  );
}

const loadDevice = async (tenant: string, id: string): Promise<Versioned> => {
  const { data: device, response } = await callFull(
    api.GET('/api/v1/tenants/{tenant}/devices/{device}', {
      params: { path: { tenant, device: id } },
    }),
  );
  return { device, etag: response.headers.get('ETag') };
};

function EditDevice({ current, close }: { current: Versioned; close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  // What the form was filled with, and what the server has since, where somebody was faster.
  const [{ device: before }] = useState(current);
  const [{ device, etag }, setSeen] = useState(current);
  const { name, place, active, assignment, accept_plaintext } = before;
  const form = useForm({
    initialValues: { name, place, active, assignment, accept_plaintext },
  });
  const run = async (values: typeof form.values) => {
    // Only what was changed here: other people's fields stay as they made them.
    const changed = Object.fromEntries(
      Object.entries(values).filter(([field, value]) => value !== before[field as keyof Device]),
    ) as Partial<typeof values>;
    if (Object.keys(changed).length === 0) return;
    try {
      await call(
        api.PATCH('/api/v1/tenants/{tenant}/devices/{device}', {
          params: {
            path: { tenant, device: device.id },
            header: etag ? { 'If-Match': etag } : {},
          },
          body: changed,
        }),
      );
    } catch (failure) {
      // The dialog shows the refusal and the new state; saving once more is then meant.
      if (asApiError(failure).kind === 'precondition') {
        const fresh = await loadDevice(tenant, device.id);
        setSeen(fresh);
        client.setQueryData(tenantKey(tenant, 'device', device.id), fresh);
      }
      throw failure;
    }
    await Promise.all([
      client.invalidateQueries({ queryKey: tenantKey(tenant, 'device', device.id) }),
      client.invalidateQueries({ queryKey: tenantKey(tenant, 'devices') }),
    ]);
  };
  const news = [
    ...(device.name !== before.name ? [`${t('device.name')}: ${device.name || '–'}`] : []),
    ...(device.place !== before.place ? [`${t('device.place')}: ${device.place || '–'}`] : []),
    ...(device.assignment !== before.assignment
      ? [`${t('device.assignment')}: ${t(`assignment.${device.assignment}`)}`]
      : []),
    ...(device.active !== before.active
      ? [`${t('device.active')}: ${t(device.active ? 'device.activeYes' : 'device.activeNo')}`]
      : []),
    ...(device.accept_plaintext !== before.accept_plaintext
      ? [
          `${t('device.plaintextShort')}: ${t(device.accept_plaintext ? 'device.plaintextYes' : 'device.plaintextNo')}`,
        ]
      : []),
  ];
  return (
    <FormDialog
      opened
      close={close}
      title={t('device.editTitle', { id: device.id })}
      action={t('common:save')}
      form={form}
      run={run}
    >
      {news.length > 0 && (
        <Alert color="orange" title={t('device.changedTitle')} role="status">
          {news.map((line) => (
            <Text key={line} size="sm">
              {line}
            </Text>
          ))}
          <Text size="sm">{t('device.changedText')}</Text>
        </Alert>
      )}
      <TextInput
        label={t('device.name')}
        description={t('device.nameHint')}
        maxLength={200}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <TextInput
        label={t('device.place')}
        description={t('device.placeHint')}
        maxLength={200}
        {...form.getInputProps('place')}
      />
      <NativeSelect
        label={t('device.assignment')}
        description={t('device.assignmentHint')}
        data={(['adopted', 'heard', 'ignored'] as const).map((value) => ({
          value,
          label: t(`assignment.${value}`),
        }))}
        {...form.getInputProps('assignment')}
      />
      <Switch
        label={t('device.activeSwitch')}
        description={t('device.activeHint')}
        {...form.getInputProps('active', { type: 'checkbox' })}
      />
      <Switch
        label={t('device.plaintext')}
        description={t('device.plaintextHint')}
        {...form.getInputProps('accept_plaintext', { type: 'checkbox' })}
      />
    </FormDialog>
  );
}

/** Channels with their last values; those that are ticked share one chart. */
function Values({ device, channels }: { device: Device; channels: Channel[] }) {
  const { t } = useTranslation('measure');
  const now = useNow(60_000);
  const [ticked, setTicked] = useState<number[] | null>(null);
  const main = mainChannel(channels);
  const chosen = useMemo(
    () => ticked ?? (main ? [main.id] : []),
    // The channels come anew with every refresh; the choice does not change with them.
    [ticked, main?.id], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const key = chosen.join();
  const shown = useMemo(
    () => channels.filter(({ id }) => key.split(',').includes(String(id))),
    [channels, key],
  );
  if (channels.length === 0)
    return <EmptyState title={t('device.noChannels')} text={t('device.noChannelsText')} />;
  const newest = shown.reduce<number | undefined>((latest, { last }) => {
    const at = last ? Date.parse(last.ts) : NaN;
    return Number.isNaN(at) || (latest !== undefined && latest >= at) ? latest : at;
  }, undefined);
  const tick = (channel: Channel) => {
    if (chosen.includes(channel.id)) {
      const rest = chosen.filter((id) => id !== channel.id);
      if (rest.length > 0) setTicked(rest);
      return;
    }
    const same = shown.filter(({ unit }) => unit === channel.unit).map(({ id }) => id);
    setTicked([...same, channel.id].slice(-CURVES_MAX));
  };
  return (
    <>
      {shown.length > 0 && (
        <Panel title={t('curve.title')}>
          <LoadCurve
            key={device.id}
            channels={shown}
            device={device.id}
            // To the hour: a new value does not move the chart away under the reader.
            newest={newest === undefined ? undefined : Math.floor(newest / 3_600_000) * 3_600_000}
            now={Math.floor(now / 3_600_000) * 3_600_000}
          />
        </Panel>
      )}
      <Panel title={t('channel.title')}>
        <Text size="xs" c="var(--emt-dimmed)" mb="xs">
          {t('channel.help', { count: CURVES_MAX })}
        </Text>
        <ChannelTable channels={channels} chosen={chosen} tick={tick} />
      </Panel>
    </>
  );
}

function ChannelTable({
  channels,
  chosen,
  tick,
}: {
  channels: Channel[];
  chosen: number[];
  tick: (channel: Channel) => void;
}) {
  const { t, i18n } = useTranslation('measure');
  const { tenant } = useTenant();
  const [all, setAll] = useState(false);
  const kept = channels.filter(({ storage }) => storage !== 0).length;
  const rows = inOrder(channels).filter(
    ({ id, storage }) => all || storage === 0 || chosen.includes(id),
  );
  return (
    <>
      {kept > 0 && (
        <Switch
          size="xs"
          mb="xs"
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
          label={t('channel.kept', { count: kept })}
        />
      )}
      <div className={classes.wide} tabIndex={0} role="group" aria-label={t('channel.title')}>
        <Table verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={60}>{t('channel.curve')}</Table.Th>
              <Table.Th>{t('channel.quantity')}</Table.Th>
              <Table.Th>OBIS</Table.Th>
              <Table.Th ta="right">{t('device.lastValue')}</Table.Th>
              <Table.Th>{t('reading.at')}</Table.Th>
              <Table.Th>{t('reading.quality')}</Table.Th>
              <Table.Th>{t('channel.number')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((channel) => {
              const { id, kind, last, unit, obis } = channel;
              const label = channelLabel(t, channel);
              return (
                <Table.Tr key={id}>
                  <Table.Td>
                    {kind === 'number' ? (
                      <Checkbox
                        size="xs"
                        checked={chosen.includes(id)}
                        disabled={chosen.length === 1 && chosen[0] === id}
                        onChange={() => tick(channel)}
                        aria-label={t('channel.show', { label })}
                      />
                    ) : (
                      <Text size="xs" c="var(--emt-dimmed)">
                        {t(`channel.kind.${kind}`)}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td>{label}</Table.Td>
                  <Table.Td className="mono">{obis ?? '–'}</Table.Td>
                  <Table.Td ta="right" className={classes.value}>
                    {last
                      ? kind === 'number'
                        ? formatQuantity(last.value, displayUnit(unit) || null, i18n.language)
                        : last.value
                      : '–'}
                  </Table.Td>
                  <Table.Td>
                    <Time at={last?.ts} />
                  </Table.Td>
                  <Table.Td>{last ? <QualityTone quality={last.quality} /> : '–'}</Table.Td>
                  <Table.Td>
                    <Anchor component={Link} size="sm" to={`/t/${tenant}/channels/${id}`}>
                      {id}
                    </Anchor>
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
    </>
  );
}

function LastFrames({ device }: { device: string }) {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const { data } = useQuery({
    queryKey: tenantKey(tenant, 'frames', 'of', device),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/frames', {
          params: { path: { tenant }, query: { device, limit: 5 } },
        }),
      ),
    refetchInterval: 60_000,
    enabled: may('listFrames'),
  });
  if (!data) return null;
  return (
    <Panel
      title={t('device.frames')}
      actions={
        <Anchor
          component={Link}
          size="sm"
          to={`/t/${tenant}/frames?device=${encodeURIComponent(device)}`}
        >
          {t('device.allFrames')}
        </Anchor>
      }
    >
      {data.items.length === 0 ? (
        <Text size="sm" c="var(--emt-dimmed)">
          {t('device.noFrames')}
        </Text>
      ) : (
        <Stack gap={4}>
          {data.items.map(({ gateway, spool, seq, received_at, state, rssi_dbm }) => (
            <Group key={`${spool}-${seq}`} gap="md">
              <Anchor
                component={Link}
                size="sm"
                to={`/t/${tenant}/frames/${gateway}/${spool}/${seq}`}
              >
                <Time at={received_at} seconds />
              </Anchor>
              <Text size="sm" component="span">
                <FrameStateTone state={state} />
              </Text>
              <Text size="sm">{gateway}</Text>
              {rssi_dbm !== null && <Text size="sm">{rssi_dbm} dBm</Text>}
            </Group>
          ))}
        </Stack>
      )}
    </Panel>
  );
}
