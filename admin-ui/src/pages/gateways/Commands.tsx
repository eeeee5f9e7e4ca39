import { Button, Group, NumberInput, Select, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { DataTable } from '@/components/DataTable';
import { FormDialog } from '@/components/FormDialog';
import { Tone, type ToneName } from '@/components/measure/Tone';
import { Panel } from '@/components/Panel';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import type { Gateway } from './connection';

type Command = Schemas['Command'];

const NAMES = ['ping', 'status', 'resend'] as const;
const TONES: Record<Command['state'], ToneName> = {
  waiting: 'wait',
  sent: 'wait',
  done: 'good',
  failed: 'bad',
  expired: 'bad',
};
const OPEN: Command['state'][] = ['waiting', 'sent'];

/** Orders to a gateway and what became of them. */
export function Commands({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant, may } = useTenant();
  const [ordering, setOrdering] = useState(false);
  const [open, setOpen] = useState(true);
  const key = tenantKey(tenant, 'gateways', 'commands', gateway.id);
  const list = useCursorList(
    key,
    async (cursor) => {
      const page = await call(
        api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}/commands', {
          params: { path: { tenant, gateway: gateway.id }, query: { cursor } },
        }),
      );
      if (!cursor) setOpen(page.items.some(({ state }) => OPEN.includes(state)));
      return page;
    },
    { refetchInterval: open ? 3_000 : false },
  );
  const order = may('createCommand') && gateway.state === 'enrolled' && (
    <Button variant="default" size="xs" onClick={() => setOrdering(true)}>
      {t('commands.order')}
    </Button>
  );
  return (
    <Panel title={t('commands.title')} actions={order}>
      <DataTable
        label={t('commands.title')}
        list={list}
        rowKey={({ id }) => id}
        height="320px"
        columns={[
          {
            key: 'at',
            title: t('commands.ordered'),
            width: '170px',
            cell: ({ created_at }) => <Time at={created_at} seconds />,
          },
          {
            key: 'name',
            title: t('commands.name'),
            width: 'minmax(140px, 1fr)',
            cell: (command) => commandText(command),
          },
          {
            key: 'state',
            title: t('users.state'),
            width: '150px',
            cell: ({ state }) => <Tone tone={TONES[state]}>{t(`commands.states.${state}`)}</Tone>,
          },
          {
            key: 'ended',
            title: t('commands.ended'),
            width: '170px',
            cell: ({ ended_at }) => <Time at={ended_at} seconds />,
          },
          {
            key: 'result',
            title: t('commands.result'),
            width: 'minmax(140px, 1.4fr)',
            cell: ({ result }) => <span title={result ?? undefined}>{result ?? '–'}</span>,
          },
        ]}
        empty={<Text size="sm">{t('commands.none')}</Text>}
      />
      {ordering && (
        <OrderDialog
          gateway={gateway}
          close={() => setOrdering(false)}
          done={() => setOpen(true)}
        />
      )}
    </Panel>
  );
}

function commandText({ name, arguments: given }: Command): string {
  const list = Object.entries(given).map(([key, value]) => `${key}=${value}`);
  return [name, ...list].join(' ');
}

interface OrderProps {
  gateway: Gateway;
  close: () => void;
  done: () => void;
}

function OrderDialog({ gateway, close, done }: OrderProps) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const [idempotencyKey, setKey] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: { name: 'ping' as string, from: 1, to: 1 },
    onValuesChange: () => setKey(newIdempotencyKey()),
    validate: {
      to: (value, { name, from }) =>
        name === 'resend' && value < from ? t('commands.rangeRule') : null,
    },
  });
  const order = useAction(
    ({ name, from, to }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/commands', {
          params: {
            path: { tenant, gateway: gateway.id },
            header: { 'Idempotency-Key': idempotencyKey },
          },
          body: {
            name,
            ...(name === 'resend' ? { arguments: { from: String(from), to: String(to) } } : {}),
          },
        }),
      ),
    { changes: [tenantKey(tenant, 'gateways', 'commands', gateway.id)], done },
  );
  const { name } = form.values;
  return (
    <FormDialog
      opened
      close={close}
      title={t('commands.order')}
      action={t('commands.send')}
      form={form}
      run={(values) => order.mutateAsync(values)}
    >
      <Select
        label={t('commands.name')}
        description={t(`commands.texts.${name}`)}
        data={NAMES.map((value) => ({ value, label: t(`commands.names.${value}`) }))}
        allowDeselect={false}
        {...form.getInputProps('name')}
      />
      {name === 'resend' && (
        <Group grow align="start">
          <NumberInput
            label={t('commands.from')}
            min={1}
            allowDecimal={false}
            {...form.getInputProps('from')}
          />
          <NumberInput
            label={t('commands.to')}
            min={1}
            allowDecimal={false}
            {...form.getInputProps('to')}
          />
        </Group>
      )}
      {gateway.connection?.state !== 'connected' && (
        <Text size="sm">{t('commands.notConnected')}</Text>
      )}
    </FormDialog>
  );
}
