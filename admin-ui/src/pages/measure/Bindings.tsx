import { Anchor, Button, Group, Loader, NativeSelect, Table, Text, TextInput } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { FormDialog } from '@/components/FormDialog';
import { Time } from '@/components/Time';
import { channelLabel } from '@/components/measure/labels';
import { dayInstant, dayText } from '@/components/measure/localTime';
import classes from '@/components/measure/measure.module.css';
import { parseDecimal } from '@/components/measure/decimal';
import { isRegister } from '@/components/measure/series';
import { Tone } from '@/components/measure/Tone';
import { formatDecimal } from '@/lib/decimal';
import { useTenant } from '@/session/context';

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

/** Everything that a binding says, and what can be done about it. */
export function Bindings({ code, items }: { code: string; items: Binding[] }) {
  const { t, i18n } = useTranslation('measure');
  const { may } = useTenant();
  const [changing, setChanging] = useState<Binding | null>(null);
  const [removing, setRemoving] = useState<Binding | null>(null);
  const number = (value: string | null) =>
    value === null ? '–' : formatDecimal(value, i18n.language);
  const acts = may('updateBinding') || may('deleteBinding');
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
            <Table.Th ta="right">{t('binding.first')}</Table.Th>
            <Table.Th>{t('binding.to')}</Table.Th>
            <Table.Th ta="right">{t('binding.last')}</Table.Th>
            <Table.Th>{t('binding.state')}</Table.Th>
            <Table.Th>{t('binding.market')}</Table.Th>
            {acts && <Table.Th>{t('action')}</Table.Th>}
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
              <Table.Td ta="right">{number(binding.first_reading)}</Table.Td>
              <Table.Td>
                {binding.valid_to ? <Time at={binding.valid_to} /> : t('binding.open')}
              </Table.Td>
              <Table.Td ta="right">{number(binding.last_reading)}</Table.Td>
              <Table.Td>
                <Validity binding={binding} />
              </Table.Td>
              <Table.Td>
                <Market binding={binding} />
              </Table.Td>
              {acts && (
                <Table.Td>
                  <Group gap={6} wrap="nowrap">
                    {may('updateBinding') && (
                      <Button
                        size="compact-xs"
                        variant="default"
                        onClick={() => setChanging(binding)}
                        aria-label={t('binding.changeOf', { obis: binding.obis })}
                      >
                        {t('binding.change')}
                      </Button>
                    )}
                    {may('deleteBinding') && (
                      <Button
                        size="compact-xs"
                        variant="default"
                        onClick={() => setRemoving(binding)}
                        aria-label={t('binding.removeOf', { obis: binding.obis })}
                      >
                        {t('common:delete')}
                      </Button>
                    )}
                  </Group>
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {changing && <ChangeBinding code={code} binding={changing} close={() => setChanging(null)} />}
      <RemoveBinding code={code} binding={removing} close={() => setRemoving(null)} />
    </div>
  );
}

/** What exports ask besides: only what somebody said. */
function Market({ binding }: { binding: Binding }) {
  const { t, i18n } = useTranslation('measure');
  const facts = [
    binding.use_case && `${t('binding.useCase')}: ${binding.use_case}`,
    binding.config_id && `${t('binding.config')}: ${binding.config_id}`,
    binding.order_number && `${t('binding.order')}: ${binding.order_number}`,
    binding.decimals !== null && `${t('binding.decimals')}: ${binding.decimals}`,
    binding.step_s !== null &&
      `${t('binding.step')}: ${t(binding.step_s === 900 ? 'binding.step900' : 'binding.step3600')}`,
    binding.capacity !== null &&
      `${t('binding.capacity')} ${formatDecimal(binding.capacity, i18n.language)}`,
    binding.master_data_number && `${t('binding.masterData')}: ${binding.master_data_number}`,
  ].filter(Boolean);
  if (facts.length === 0) return <>–</>;
  return (
    <>
      {facts.map((fact, index) => (
        <Text key={index} size="xs" className="break">
          {fact}
        </Text>
      ))}
    </>
  );
}

function RemoveBinding({
  code,
  binding,
  close,
}: {
  code: string;
  binding: Binding | null;
  close: () => void;
}) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  return (
    <Confirm
      opened={binding !== null}
      close={close}
      title={t('binding.removeTitle', { obis: binding?.obis })}
      text={t('binding.removeText')}
      action={t('common:delete')}
      run={async () => {
        if (!binding) return;
        await call(
          api.DELETE('/api/v1/tenants/{tenant}/locations/{location}/bindings/{binding_id}', {
            params: { path: { tenant, location: code, binding_id: binding.id } },
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'location', code) });
      }}
    />
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

interface Values extends Record<string, unknown> {
  device: string;
  channel: string;
  obis: string;
  ratio: string;
  device_number: string;
  valid_from: string;
  valid_to: string;
  use_case: string;
  order_number: string;
  config_id: string;
  decimals: string;
  step_s: string;
  capacity: string;
  first_reading: string;
  last_reading: string;
  master_data_number: string;
}

const asPoint = (text: string) => text.trim().replace(',', '.');

function useBindingForm(initialValues: Values, picks: boolean) {
  const { t } = useTranslation('measure');
  const positive = (value: string, least: bigint) => {
    const number = parseDecimal(asPoint(value));
    return number !== null && number !== undefined && number.mantissa >= least;
  };
  return useForm<Values>({
    initialValues,
    validate: {
      device: (value) => (value || !picks ? null : t('common:form.required')),
      channel: (value) => (value ? null : t('common:form.required')),
      obis: (value) =>
        /^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(\*\d{1,3})?$/.test(value)
          ? null
          : t('binding.obisFault'),
      ratio: (value) => (positive(value, 1n) ? null : t('binding.ratioFault')),
      decimals: (value) => (/^[0-5]?$/.test(value) ? null : t('binding.decimalsFault')),
      capacity: (value) =>
        value === '' || positive(value, 1n) ? null : t('binding.capacityFault'),
      first_reading: (value) =>
        value === '' || positive(value, 0n) ? null : t('binding.readingFault'),
      last_reading: (value, { valid_to }) => {
        if (value === '') return null;
        if (valid_to === '') return t('binding.lastFault');
        return positive(value, 0n) ? null : t('binding.readingFault');
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
}

const instant = (day: string) => new Date(dayInstant(day) ?? 0).toISOString();

export function AddBinding({ code, close }: { code: string; close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const [now] = useState(() => Date.now());
  const form = useBindingForm(
    {
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
      first_reading: '',
      last_reading: '',
      master_data_number: '',
    },
    true,
  );
  const run = async (values: Values) => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/locations/{location}/bindings', {
        params: { path: { tenant, location: code }, header: { 'Idempotency-Key': key } },
        body: {
          channel: Number(values.channel),
          obis: values.obis,
          ratio: asPoint(values.ratio),
          valid_from: instant(values.valid_from),
          ...(values.device_number ? { device_number: values.device_number } : {}),
          ...(values.valid_to ? { valid_to: instant(values.valid_to) } : {}),
          ...(values.use_case ? { use_case: values.use_case as UseCase } : {}),
          ...(values.order_number ? { order_number: values.order_number } : {}),
          ...(values.config_id ? { config_id: values.config_id } : {}),
          ...(values.decimals ? { decimals: Number(values.decimals) } : {}),
          ...(values.step_s ? { step_s: values.step_s === '900' ? 900 : 3600 } : {}),
          ...(values.capacity ? { capacity: asPoint(values.capacity) } : {}),
          ...(values.first_reading ? { first_reading: asPoint(values.first_reading) } : {}),
          ...(values.last_reading ? { last_reading: asPoint(values.last_reading) } : {}),
          ...(values.master_data_number ? { master_data_number: values.master_data_number } : {}),
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
      <PickChannel form={form} />
      <BindingFields form={form} />
    </FormDialog>
  );
}

/** A day of the form, or the very instant where the day was not touched. */
const dayOr = (day: string, before: string | null) =>
  before !== null && day === dayText(Date.parse(before)) ? before : instant(day);

/** Sets right what a binding says, from its first day on, or ends it. */
function ChangeBinding({
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
  const form = useBindingForm(
    {
      device: '',
      channel: String(binding.channel),
      obis: binding.obis,
      ratio: binding.ratio,
      device_number: binding.device_number,
      valid_from: dayText(Date.parse(binding.valid_from)),
      valid_to: binding.valid_to ? dayText(Date.parse(binding.valid_to)) : '',
      use_case: binding.use_case ?? '',
      order_number: binding.order_number,
      config_id: binding.config_id,
      decimals: binding.decimals === null ? '' : String(binding.decimals),
      step_s: binding.step_s === null ? '' : String(binding.step_s),
      capacity: binding.capacity ?? '',
      first_reading: binding.first_reading ?? '',
      last_reading: binding.last_reading ?? '',
      master_data_number: binding.master_data_number,
    },
    false,
  );
  const run = async (values: Values) => {
    await call(
      api.PATCH('/api/v1/tenants/{tenant}/locations/{location}/bindings/{binding_id}', {
        params: { path: { tenant, location: code, binding_id: binding.id } },
        body: {
          channel: Number(values.channel),
          obis: values.obis,
          ratio: asPoint(values.ratio),
          device_number: values.device_number,
          valid_from: dayOr(values.valid_from, binding.valid_from),
          valid_to: values.valid_to ? dayOr(values.valid_to, binding.valid_to) : null,
          use_case: values.use_case ? (values.use_case as UseCase) : null,
          order_number: values.order_number,
          config_id: values.config_id,
          decimals: values.decimals ? Number(values.decimals) : null,
          step_s: values.step_s ? (values.step_s === '900' ? 900 : 3600) : null,
          capacity: values.capacity ? asPoint(values.capacity) : null,
          first_reading: values.first_reading ? asPoint(values.first_reading) : null,
          last_reading: values.last_reading ? asPoint(values.last_reading) : null,
          master_data_number: values.master_data_number,
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'location', code) });
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('binding.changeTitle', { obis: binding.obis })}
      action={t('common:save')}
      form={form}
      run={run}
      size="lg"
    >
      <Text size="sm">{t('binding.changeText')}</Text>
      <BindingFields form={form} />
    </FormDialog>
  );
}

function PickChannel({ form }: { form: UseFormReturnType<Values> }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const [search, setSearch] = useState('');
  const [q] = useDebouncedValue(search.trim(), 300);
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
  return (
    <>
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
    </>
  );
}

function BindingFields({ form }: { form: UseFormReturnType<Values> }) {
  const { t } = useTranslation('measure');
  return (
    <>
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
        maxLength={35}
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
        <TextInput
          label={t('binding.first')}
          description={t('binding.firstHint')}
          {...form.getInputProps('first_reading')}
        />
        <TextInput
          label={t('binding.last')}
          description={t('binding.lastHint')}
          {...form.getInputProps('last_reading')}
        />
      </Group>
      <TextInput
        label={t('binding.masterData')}
        description={t('binding.masterDataHint')}
        maxLength={70}
        {...form.getInputProps('master_data_number')}
      />
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
    </>
  );
}
