import { Anchor, Button, Group, Loader, NativeSelect, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation, useParams } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { channelLabel } from '@/components/measure/labels';
import { dayInstant, dayText } from '@/components/measure/localTime';
import classes from '@/components/measure/measure.module.css';
import { parseDecimal } from '@/components/measure/decimal';
import { isRegister } from '@/components/measure/series';
import { Tone } from '@/components/measure/Tone';
import { formatDecimal } from '@/lib/decimal';
import { useTenant } from '@/session/context';
import { Mandates } from '../values/Mandates';

type Binding = Schemas['Binding'];
type UseCase = NonNullable<Schemas['BindingNew']['use_case']>;
const USE_CASES: readonly UseCase[] = [
  '13018',
  '13025',
  '13017',
  '13019',
  '13016',
  '13027',
  '13002',
  '13007',
  '13008',
  '13009',
];

export default function LocationPage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const code = decodeURIComponent(useParams<{ code: string }>().code ?? '');
  const [binding, setBinding] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [ending, setEnding] = useState<Binding | null>(null);
  const location = useQuery({
    queryKey: tenantKey(tenant, 'location', code),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/locations/{location}', {
          params: { path: { tenant, location: code } },
        }),
      ),
  });
  const bindings = useQuery({
    queryKey: tenantKey(tenant, 'location', code, 'bindings'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/locations/{location}/bindings', {
          params: { path: { tenant, location: code } },
        }),
      ),
  });
  const path = [{ label: t('locations.title'), to: `/t/${tenant}/locations` }];
  if (location.error && !location.data)
    return (
      <>
        <PageHeader title={code} path={path} />
        <ProblemAlert error={location.error} retry={() => void location.refetch()} />
      </>
    );
  if (!location.data) return <PageLoading />;
  const { data } = location;
  const bound = (bindings.data?.items.length ?? 0) > 0;
  return (
    <>
      <PageHeader
        title={data.name || code}
        path={path}
        badges={<Text size="sm">{t(`locationKind.${data.kind}`)}</Text>}
      >
        {may('deleteLocation') && !bound && bindings.data && (
          <Button variant="default" onClick={() => setDeleting(true)}>
            {t('common:delete')}
          </Button>
        )}
        {may('createBinding') && (
          <Button onClick={() => setBinding(true)}>{t('binding.add')}</Button>
        )}
      </PageHeader>
      <Panel title={t('location.facts')}>
        <Facts
          facts={[
            { label: t('location.code'), value: <span className="mono break">{code}</span> },
            { label: t('location.kind'), value: t(`locationKind.${data.kind}`) },
            { label: t('location.name'), value: data.name || '–' },
            {
              label: t('location.receiver'),
              value: <span className="mono">{data.receiver_mp_id ?? '–'}</span>,
            },
            { label: t('location.created'), value: <Time at={data.created_at} /> },
          ]}
        />
      </Panel>
      <div style={{ height: 16 }} />
      <Panel title={t('binding.title')}>
        <ProblemAlert error={bindings.error} retry={() => void bindings.refetch()} />
        {bindings.data && !bound && (
          <EmptyState title={t('binding.empty')} text={t('binding.emptyText')}>
            {may('createBinding') && (
              <Button size="xs" onClick={() => setBinding(true)}>
                {t('binding.add')}
              </Button>
            )}
          </EmptyState>
        )}
        {bindings.data && bound && (
          <Bindings
            items={bindings.data.items}
            end={may('updateBinding') ? setEnding : undefined}
          />
        )}
      </Panel>
      {may('listMandates') && (
        <>
          <div style={{ height: 16 }} />
          <Mandates location={code} />
        </>
      )}
      {binding && <AddBinding code={code} close={() => setBinding(false)} />}
      {ending && <EndBinding code={code} binding={ending} close={() => setEnding(null)} />}
      <Confirm
        opened={deleting}
        close={() => setDeleting(false)}
        title={t('location.deleteTitle')}
        text={t('location.deleteText', { code })}
        action={t('common:delete')}
        run={async () => {
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/locations/{location}', {
              params: { path: { tenant, location: code } },
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'locations') });
          navigate(`/t/${tenant}/locations`);
        }}
      />
    </>
  );
}

function Bindings({
  items,
  end,
}: {
  items: Binding[];
  end: ((binding: Binding) => void) | undefined;
}) {
  const { t, i18n } = useTranslation('measure');
  return (
    <div className={classes.wide} tabIndex={0} role="group" aria-label={t('binding.title')}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('binding.obis')}</Table.Th>
            <Table.Th>{t('binding.channel')}</Table.Th>
            <Table.Th>{t('binding.deviceNumber')}</Table.Th>
            <Table.Th ta="right">{t('binding.ratio')}</Table.Th>
            <Table.Th>{t('binding.from')}</Table.Th>
            <Table.Th>{t('binding.to')}</Table.Th>
            <Table.Th>{t('binding.state')}</Table.Th>
            {end && <Table.Th>{t('action')}</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((binding) => (
            <Table.Tr key={binding.id}>
              <Table.Td className="mono">{binding.obis}</Table.Td>
              <Table.Td>
                <ChannelName channel={binding.channel} />
              </Table.Td>
              <Table.Td className="mono">{binding.device_number || '–'}</Table.Td>
              <Table.Td ta="right">{formatDecimal(binding.ratio, i18n.language)}</Table.Td>
              <Table.Td>
                <Time at={binding.valid_from} />
              </Table.Td>
              <Table.Td>
                {binding.valid_to ? <Time at={binding.valid_to} /> : t('binding.open')}
              </Table.Td>
              <Table.Td>
                <Validity binding={binding} />
              </Table.Td>
              {end && (
                <Table.Td>
                  {binding.valid_to === null && (
                    <Button size="compact-xs" variant="default" onClick={() => end(binding)}>
                      {t('binding.end')}
                    </Button>
                  )}
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Validity({ binding: { valid_from, valid_to } }: { binding: Binding }) {
  const { t } = useTranslation('measure');
  const [now] = useState(() => Date.now());
  if (Date.parse(valid_from) > now) return <Tone tone="wait">{t('binding.future')}</Tone>;
  if (valid_to && Date.parse(valid_to) <= now) return <Tone tone="calm">{t('binding.past')}</Tone>;
  return <Tone tone="good">{t('binding.valid')}</Tone>;
}

function ChannelName({ channel }: { channel: number }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data } = useQuery({
    queryKey: tenantKey(tenant, 'channel', channel),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/channels/{channel}', {
          params: { path: { tenant, channel } },
        }),
      ),
    staleTime: Infinity,
  });
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
      {channelLabel(t, data)}
    </>
  );
}

function AddBinding({ code, close }: { code: string; close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [now] = useState(() => Date.now());
  const [search, setSearch] = useState('');
  const [q] = useDebouncedValue(search.trim(), 300);
  const form = useForm({
    initialValues: {
      device: '',
      channel: '',
      obis: '1-1:1.29.0',
      ratio: '1',
      device_number: '',
      valid_from: dayText(now),
      valid_to: '',
      use_case: '',
      order_number: '',
      config_id: '',
      decimals: '',
      step_s: '',
      capacity: '',
    },
    validate: {
      device: (value) => (value ? null : t('common:form.required')),
      channel: (value) => (value ? null : t('common:form.required')),
      obis: (value) =>
        /^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(\*\d{1,3})?$/.test(value)
          ? null
          : t('binding.obisFault'),
      ratio: (value) => {
        const ratio = parseDecimal(value.replace(',', '.'));
        return ratio && ratio.mantissa > 0n ? null : t('binding.ratioFault');
      },
      decimals: (value) => (/^[0-5]?$/.test(value) ? null : t('binding.decimalsFault')),
      capacity: (value) => {
        const capacity = parseDecimal(value.replace(',', '.'));
        return value === '' || (capacity && capacity.mantissa > 0n)
          ? null
          : t('binding.capacityFault');
      },
      valid_from: (value) => (dayInstant(value) === undefined ? t('day.fault') : null),
      valid_to: (value, { valid_from }) => {
        if (value === '') return null;
        const to = dayInstant(value);
        if (to === undefined) return t('day.fault');
        return to > (dayInstant(valid_from) ?? 0) ? null : t('binding.toFault');
      },
    },
  });
  const { device } = form.values;
  const devices = useQuery({
    queryKey: tenantKey(tenant, 'devices', 'pick', q),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/devices', {
          params: { path: { tenant }, query: { limit: 50, ...(q ? { q } : {}) } },
        }),
      ),
  });
  const channels = useQuery({
    queryKey: tenantKey(tenant, 'device', device, 'channels'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/devices/{device}/channels', {
          params: { path: { tenant, device }, query: { limit: 200 } },
        }),
      ),
    enabled: device !== '',
  });
  const run = async (values: typeof form.values) => {
    const instant = (day: string) => new Date(dayInstant(day) ?? 0).toISOString();
    await call(
      api.POST('/api/v1/tenants/{tenant}/locations/{location}/bindings', {
        params: { path: { tenant, location: code }, header: { 'Idempotency-Key': key } },
        body: {
          channel: Number(values.channel),
          obis: values.obis,
          ratio: values.ratio.replace(',', '.'),
          valid_from: instant(values.valid_from),
          ...(values.device_number ? { device_number: values.device_number } : {}),
          ...(values.valid_to ? { valid_to: instant(values.valid_to) } : {}),
          ...(values.use_case ? { use_case: values.use_case as UseCase } : {}),
          ...(values.order_number ? { order_number: values.order_number } : {}),
          ...(values.config_id ? { config_id: values.config_id } : {}),
          ...(values.decimals ? { decimals: Number(values.decimals) } : {}),
          ...(values.step_s ? { step_s: values.step_s === '900' ? 900 : 3600 } : {}),
          ...(values.capacity ? { capacity: values.capacity.replace(',', '.') } : {}),
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'location', code) });
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('binding.add')}
      action={t('binding.add')}
      form={form}
      run={run}
      size="lg"
    >
      <Group grow align="start">
        <TextInput
          label={t('binding.search')}
          description={t('binding.searchHint')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          rightSection={devices.isFetching ? <Loader size={14} /> : null}
          data-autofocus
        />
        <NativeSelect
          label={t('binding.device')}
          description={t('binding.deviceHint', { count: devices.data?.items.length ?? 0 })}
          required
          data={[
            { value: '', label: t('choose') },
            ...(devices.data?.items ?? []).map(({ id, name }) => ({
              value: id,
              label: name ? `${id} · ${name}` : id,
            })),
          ]}
          {...form.getInputProps('device')}
          onChange={(event) => {
            form.setFieldValue('device', event.currentTarget.value);
            form.setFieldValue('channel', '');
          }}
        />
      </Group>
      <NativeSelect
        label={t('binding.channel')}
        description={t('binding.channelHint')}
        required
        disabled={device === ''}
        data={[
          { value: '', label: t('choose') },
          ...(channels.data?.items ?? []).filter(isRegister).map((channel) => ({
            value: String(channel.id),
            label: `${channelLabel(t, channel)} ${channel.obis ?? ''}`,
          })),
        ]}
        {...form.getInputProps('channel')}
      />
      <Group grow align="start">
        <TextInput
          label={t('binding.obis')}
          description={t('binding.obisHint')}
          required
          classNames={{ input: 'mono' }}
          {...form.getInputProps('obis')}
        />
        <TextInput
          label={t('binding.ratio')}
          description={t('binding.ratioHint')}
          required
          {...form.getInputProps('ratio')}
        />
      </Group>
      <TextInput
        label={t('binding.deviceNumber')}
        description={t('binding.deviceNumberHint')}
        maxLength={40}
        {...form.getInputProps('device_number')}
      />
      <Group grow align="start">
        <TextInput
          type="date"
          label={t('binding.from')}
          description={t('binding.fromHint')}
          required
          {...form.getInputProps('valid_from')}
        />
        <TextInput
          type="date"
          label={t('binding.to')}
          description={t('binding.toHint')}
          {...form.getInputProps('valid_to')}
        />
      </Group>
      <Group grow align="start">
        <NativeSelect
          label={t('binding.useCase')}
          description={t('binding.useCaseHint')}
          data={[
            { value: '', label: t('binding.everyUseCase') },
            ...USE_CASES.map((value) => ({ value, label: `${value} · ${t(`pid.${value}`)}` })),
          ]}
          {...form.getInputProps('use_case')}
        />
        <TextInput
          label={t('binding.capacity')}
          description={t('binding.capacityHint')}
          {...form.getInputProps('capacity')}
        />
      </Group>
      <Group grow align="start">
        <TextInput
          label={t('binding.config')}
          description={t('binding.configHint')}
          maxLength={70}
          {...form.getInputProps('config_id')}
        />
        <TextInput
          label={t('binding.order')}
          description={t('binding.orderHint')}
          maxLength={70}
          {...form.getInputProps('order_number')}
        />
      </Group>
      <Group grow align="start">
        <TextInput
          label={t('binding.decimals')}
          description={t('binding.decimalsHint')}
          maxLength={1}
          {...form.getInputProps('decimals')}
        />
        <NativeSelect
          label={t('binding.step')}
          description={t('binding.stepHint')}
          data={[
            { value: '', label: t('binding.stepUsual') },
            { value: '900', label: t('binding.step900') },
            { value: '3600', label: t('binding.step3600') },
          ]}
          {...form.getInputProps('step_s')}
        />
      </Group>
    </FormDialog>
  );
}

function EndBinding({
  code,
  binding,
  close,
}: {
  code: string;
  binding: Binding;
  close: () => void;
}) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [now] = useState(() => Date.now());
  const form = useForm({
    initialValues: { valid_to: dayText(now) },
    validate: {
      valid_to: (value) => {
        const to = dayInstant(value);
        if (to === undefined) return t('day.fault');
        return to > Date.parse(binding.valid_from) ? null : t('binding.toFault');
      },
    },
  });
  return (
    <FormDialog
      opened
      close={close}
      title={t('binding.endTitle', { obis: binding.obis })}
      action={t('binding.end')}
      form={form}
      run={async ({ valid_to }) => {
        await call(
          api.PATCH('/api/v1/tenants/{tenant}/locations/{location}/bindings/{binding_id}', {
            params: { path: { tenant, location: code, binding_id: binding.id } },
            body: { valid_to: new Date(dayInstant(valid_to) ?? 0).toISOString() },
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'location', code) });
      }}
    >
      <TextInput
        type="date"
        label={t('binding.to')}
        description={t('binding.toHint')}
        required
        data-autofocus
        {...form.getInputProps('valid_to')}
      />
    </FormDialog>
  );
}
