import { Button, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'wouter';
import { api, call, newIdempotencyKey } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { usePolling } from '@/api/stream';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { LiveState } from '@/components/LiveState';
import { CsvImport } from '@/components/measure/CsvImport';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { useFilters } from '@/components/measure/useFilters';
import { PageHeader } from '@/components/PageHeader';
import { GATEWAY_ID } from '@/lib/tenantKey';
import { useTenant } from '@/session/context';
import {
  ConnectionSince,
  ConnectionTone,
  GatewayState,
  type ConnectionState,
  type Gateway,
} from './connection';
import { useGatewayEvents } from './useGatewayEvents';

const STATES: Gateway['state'][] = ['announced', 'enrolled', 'revoked'];
const CONNECTIONS: ConnectionState[] = ['connected', 'lost', 'ended', 'never'];

export default function GatewaysPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant, may } = useTenant();
  const [creating, setCreating] = useState(false);
  const [importing, setImporting] = useState(false);
  const [filters, setFilters] = useFilters(['q', 'state', 'connection']);
  const state = STATES.find((value) => value === filters.state);
  const connection = CONNECTIONS.find((value) => value === filters.connection);
  useGatewayEvents(tenant);
  const list = useCursorList(
    tenantKey(tenant, 'gateways', 'list', { q: filters.q, state, connection }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/gateways', {
          params: { path: { tenant }, query: { q: filters.q, state, connection, cursor } },
        }),
      ),
    { refetchInterval: usePolling(tenant) },
  );
  const active = Boolean(filters.q || state || connection);
  const clear = () => setFilters({ q: undefined, state: undefined, connection: undefined });
  const create = may('createGateway') && (
    <Button onClick={() => setCreating(true)}>{t('gateways.new')}</Button>
  );
  return (
    <>
      <PageHeader
        title={t('gateways.title')}
        text={t('gateways.text')}
        badges={<LiveState tenant={tenant} />}
      >
        {may('importGateways') && (
          <Button variant="default" onClick={() => setImporting(true)}>
            {t('gateways.import')}
          </Button>
        )}
        {create}
      </PageHeader>
      <FilterBar active={active} clear={clear}>
        <FilterText
          label={t('common:search')}
          placeholder={t('gateways.searchHint')}
          value={filters.q}
          onChange={(q) => setFilters({ q })}
        />
        <FilterSelect
          label={t('gateways.connectionLabel')}
          all={t('common:all')}
          value={connection}
          options={CONNECTIONS.map((value) => ({
            value,
            label: t(`gateways.connection.${value}`),
          }))}
          onChange={(value) => setFilters({ connection: value })}
        />
        <FilterSelect
          label={t('gateways.state')}
          all={t('common:all')}
          value={state}
          options={STATES.map((value) => ({ value, label: t(`gateways.states.${value}`) }))}
          onChange={(value) => setFilters({ state: value })}
        />
      </FilterBar>
      <DataTable
        label={t('gateways.title')}
        list={list}
        rowKey={({ id }) => id}
        href={({ id }) => `/t/${tenant}/gateways/${id}`}
        height="calc(100dvh - 280px)"
        minWidth={940}
        columns={[
          {
            key: 'id',
            title: t('gateways.id'),
            width: 'minmax(130px, 1.2fr)',
            cell: ({ id }) => id,
          },
          {
            key: 'name',
            title: t('gateways.name'),
            width: 'minmax(120px, 1.2fr)',
            cell: ({ name }) => name || '–',
          },
          {
            key: 'place',
            title: t('gateways.place'),
            width: 'minmax(120px, 1.2fr)',
            cell: ({ place }) => place || '–',
          },
          {
            key: 'connection',
            title: t('gateways.connectionLabel'),
            width: '150px',
            cell: (gateway) => <ConnectionTone gateway={gateway} />,
          },
          {
            key: 'since',
            title: t('gateways.since'),
            width: '130px',
            cell: (gateway) => <ConnectionSince gateway={gateway} />,
          },
          {
            key: 'state',
            title: t('gateways.state'),
            width: '140px',
            cell: (gateway) => <GatewayState gateway={gateway} />,
          },
          {
            key: 'software',
            title: t('gateways.software'),
            width: '140px',
            cell: ({ software }) => software || '–',
          },
        ]}
        empty={
          active ? (
            <EmptyState title={t('gateways.noMatch')}>
              <Button variant="default" onClick={clear}>
                {t('gateways.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('gateways.none')} text={t('gateways.noneText')}>
              {create}
            </EmptyState>
          )
        }
      />
      {creating && <CreateDialog close={() => setCreating(false)} />}
      <ImportDialog opened={importing} close={() => setImporting(false)} />
    </>
  );
}

function CreateDialog({ close }: { close: () => void }) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const [, navigate] = useLocation();
  const [idempotencyKey, setKey] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: { id: '', name: '', place: '' },
    validate: { id: (value) => (GATEWAY_ID.test(value) ? null : t('gateways.idRule')) },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const create = useAction(
    (body: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways', {
          params: { path: { tenant }, header: { 'Idempotency-Key': idempotencyKey } },
          body,
        }),
      ),
    {
      changes: [tenantKey(tenant, 'gateways'), tenantKey(tenant, 'overview')],
      done: ({ id }) => navigate(`/t/${tenant}/gateways/${id}`),
    },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('gateways.new')}
      action={t('common:create')}
      form={form}
      run={(values) => create.mutateAsync(values)}
    >
      <TextInput
        label={t('gateways.id')}
        description={t('gateways.idText')}
        autoComplete="off"
        spellCheck={false}
        data-autofocus
        {...form.getInputProps('id')}
      />
      <TextInput label={t('gateways.name')} {...form.getInputProps('name')} />
      <TextInput label={t('gateways.place')} {...form.getInputProps('place')} />
    </FormDialog>
  );
}

function ImportDialog({ opened, close }: { opened: boolean; close: () => void }) {
  const { t } = useTranslation('shell');
  const { tenant } = useTenant();
  const send = useAction(
    ({ csv, key }: { csv: string; key: string }) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/import', {
          params: { path: { tenant }, header: { 'Idempotency-Key': key } },
          body: csv,
          headers: { 'Content-Type': 'text/csv' },
          bodySerializer: (text) => text,
        }),
      ),
    { changes: [tenantKey(tenant, 'gateways'), tenantKey(tenant, 'overview')] },
  );
  return (
    <CsvImport
      opened={opened}
      close={close}
      title={t('gateways.import')}
      help={t('gateways.importText')}
      example={'id;name;place\ngw-0001;Heizkeller;Lindenstraße 5'}
      send={(csv, key) => send.mutateAsync({ csv, key })}
    />
  );
}
