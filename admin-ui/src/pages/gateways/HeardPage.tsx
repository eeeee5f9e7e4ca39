import { Alert, Button, Group, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useParams } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { RowMenu } from '@/components/RowMenu';
import { Ago } from '@/components/Time';
import { Tone, type ToneName } from '@/components/measure/Tone';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type Heard = Schemas['Heard'];
type Mode = Schemas['AllowList']['mode'];

const MODES: readonly Mode[] = ['off', 'adopted'];
const KEY_TONES: Record<Heard['key'], ToneName> = {
  known: 'good',
  'not-needed': 'good',
  needed: 'wait',
  wrong: 'bad',
  unknown: 'calm',
};

/** What a gateway's radio hears: to adopt or to ignore, and what of it the gateway shall send. */
export default function HeardPage() {
  const { t } = useTranslation('heard');
  const { tenant, may } = useTenant();
  const gateway = decodeURIComponent(useParams<{ gateway: string }>().gateway ?? '');
  const [adopting, setAdopting] = useState<Heard | null>(null);
  const key = tenantKey(tenant, 'gateways', 'one', gateway, 'heard');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}/heard', {
        params: { path: { tenant, gateway }, query: { limit: 200, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const ignore = useAction(
    (device: string) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/heard', {
          params: { path: { tenant, gateway } },
          body: { device, decision: 'ignore' },
        }),
      ),
    { changes: [key] },
  );
  const actions = (meter: Heard) =>
    may('decideHeard')
      ? [
          ...(meter.assignment === 'adopted'
            ? []
            : [{ label: t('adopt'), run: () => setAdopting(meter) }]),
          ...(meter.assignment === 'ignored'
            ? []
            : [{ label: t('ignore'), danger: true, run: () => ignore.mutate(meter.device) }]),
        ]
      : [];
  const columns: Column<Heard>[] = [
    {
      key: 'device',
      title: t('device'),
      width: 'minmax(200px, 1.5fr)',
      cell: ({ device }) => <span className="mono">{device}</span>,
    },
    {
      key: 'assignment',
      title: t('assignment'),
      width: '140px',
      cell: ({ assignment }) => (
        <Tone tone={assignment === 'adopted' ? 'good' : assignment === 'ignored' ? 'calm' : 'wait'}>
          {t(`is.${assignment}`)}
        </Tone>
      ),
    },
    {
      key: 'key',
      title: t('key'),
      width: '130px',
      cell: ({ key: state }) => <Tone tone={KEY_TONES[state]}>{t(`keyState.${state}`)}</Tone>,
    },
    {
      key: 'level',
      title: t('level'),
      width: '140px',
      align: 'right',
      cell: (meter) => <Level meter={meter} />,
    },
    {
      key: 'frames',
      title: t('frames'),
      width: '110px',
      align: 'right',
      cell: ({ frames }) => <Count value={frames} />,
    },
    {
      key: 'last',
      title: t('last'),
      width: '150px',
      cell: ({ last_at }) => <Ago at={last_at} />,
    },
    {
      key: 'menu',
      title: '',
      width: '32px',
      cell: (meter) => (
        <RowMenu label={t('actions', { device: meter.device })} actions={actions(meter)} />
      ),
    },
  ];
  return (
    <>
      <PageHeader
        title={t('title')}
        text={t('text')}
        path={[
          { label: t('gateways'), to: `/t/${tenant}/gateways` },
          { label: gateway, to: `/t/${tenant}/gateways/${encodeURIComponent(gateway)}` },
        ]}
      />
      <AllowList gateway={gateway} />
      <div style={{ height: 16 }} />
      <ProblemAlert error={ignore.error} />
      <DataTable
        label={t('title')}
        columns={columns}
        list={list}
        minWidth={900}
        rowKey={({ device }) => device}
        empty={<EmptyState title={t('empty')} text={t('emptyText')} />}
      />
      {adopting && <Adopt gateway={gateway} meter={adopting} close={() => setAdopting(null)} />}
    </>
  );
}

function Level({ meter: { rssi_dbm, rssi_best_dbm } }: { meter: Heard }) {
  const { t } = useTranslation('heard');
  if (rssi_dbm === null) return <>–</>;
  return <span title={t('best', { level: rssi_best_dbm ?? rssi_dbm })}>{rssi_dbm} dBm</span>;
}

function Count({ value }: { value: number }) {
  const { i18n } = useTranslation('heard');
  return <>{formatCount(value, i18n.language)}</>;
}

/** Which telegrams the gateway keeps at all: others cost neither radio budget nor money. */
function AllowList({ gateway }: { gateway: string }) {
  const { t } = useTranslation('heard');
  const { tenant, may } = useTenant();
  const key = tenantKey(tenant, 'gateways', 'one', gateway, 'allow-list');
  const { data, error, refetch } = useQuery({
    queryKey: key,
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}/allow-list', {
          params: { path: { tenant, gateway } },
        }),
      ),
    refetchInterval: 10_000,
  });
  const order = useAction(
    (mode: Mode) =>
      call(
        api.PUT('/api/v1/tenants/{tenant}/gateways/{gateway}/allow-list', {
          params: { path: { tenant, gateway } },
          body: { mode },
        }),
      ),
    { changes: [key] },
  );
  if (!data) return <ProblemAlert error={error} retry={() => void refetch()} />;
  return (
    <Panel title={t('list.title')}>
      <Text size="xs" c="var(--emt-dimmed)" mb="xs">
        {t('list.text')}
      </Text>
      <Group align="center">
        <Text size="sm">{t(`list.mode.${data.mode}`, { count: data.devices.length })}</Text>
        {data.state && <Text size="sm">{t(`list.state.${data.state}`, data.state)}</Text>}
        {may('putAllowList') &&
          MODES.filter((mode) => mode !== data.mode || mode === 'adopted').map((mode) => (
            <Button
              key={mode}
              size="xs"
              variant="default"
              loading={order.isPending && order.variables === mode}
              onClick={() => order.mutate(mode)}
            >
              {t(`list.order.${mode}`)}
            </Button>
          ))}
      </Group>
      {data.state === 'failed' && data.result && (
        <Alert color="red" mt="xs">
          {data.result}
        </Alert>
      )}
      <ProblemAlert error={order.error} />
    </Panel>
  );
}

function Adopt({ gateway, meter, close }: { gateway: string; meter: Heard; close: () => void }) {
  const { t } = useTranslation(['heard', 'common']);
  const { tenant } = useTenant();
  const [idempotency] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: { key: '', name: '', place: '' },
    validate: {
      key: (value) =>
        value === '' || /^([0-9a-f]{16}|[0-9a-f]{32})$/i.test(value) ? null : t('keyFault'),
    },
  });
  const adopt = useAction(
    ({ key, name, place }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/heard', {
          params: { path: { tenant, gateway }, header: { 'Idempotency-Key': idempotency } },
          body: {
            device: meter.device,
            decision: 'adopt',
            ...(key ? { key } : {}),
            ...(name.trim() ? { name: name.trim() } : {}),
            ...(place.trim() ? { place: place.trim() } : {}),
          },
        }),
      ),
    {
      changes: [
        tenantKey(tenant, 'gateways', 'one', gateway, 'heard'),
        tenantKey(tenant, 'devices'),
      ],
    },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('adoptTitle', { device: meter.device })}
      action={t('adopt')}
      form={form}
      run={(values) => adopt.mutateAsync(values)}
    >
      <TextInput
        label={t('keyInput')}
        description={t(meter.key === 'needed' ? 'keyNeeded' : 'keyHint')}
        classNames={{ input: 'mono' }}
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('key')}
      />
      <TextInput label={t('name')} maxLength={200} {...form.getInputProps('name')} />
      <TextInput label={t('place')} maxLength={200} {...form.getInputProps('place')} />
    </FormDialog>
  );
}
