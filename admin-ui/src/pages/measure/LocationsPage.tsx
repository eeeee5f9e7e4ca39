import { Button, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'wouter';
import { api, call, callFull, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { CodeHelp } from '@/components/measure/CodeHelp';
import { CsvImport } from '@/components/measure/CsvImport';
import { joinCsv } from '@/components/measure/csvPages';
import { fileName } from '@/components/measure/download';
import { DownloadButton } from '@/components/measure/DownloadButton';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { LOCATION_KINDS, guessKind, locationFault } from '@/components/measure/marketId';
import { useFilters } from '@/components/measure/useFilters';
import { checkMpId } from '@/lib/mpId';
import { useTenant } from '@/session/context';

type Location = Schemas['Location'];
type Kind = Location['kind'];

export default function LocationsPage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [filters, change] = useFilters(['q', 'kind']);
  const [adding, setAdding] = useState(false);
  const [importing, setImporting] = useState(false);
  const { q, kind } = filters;
  const list = useCursorList(tenantKey(tenant, 'locations', { q, kind }), (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/locations', {
        params: {
          path: { tenant },
          query: {
            limit: 200,
            ...(cursor ? { cursor } : {}),
            ...(q ? { q } : {}),
            ...(kind ? { kind: kind as Kind } : {}),
          },
        },
      }),
    ),
  );
  const filtered = Object.keys(filters).length > 0;
  const clear = () => change({ q: undefined, kind: undefined });
  const columns: Column<Location>[] = [
    {
      key: 'code',
      title: t('location.code'),
      width: 'minmax(300px, 1.4fr)',
      cell: ({ code }) => <span className="mono">{code}</span>,
    },
    {
      key: 'kind',
      title: t('location.kind'),
      width: 'minmax(150px, 0.8fr)',
      cell: (location) => t(`locationKind.${location.kind}`),
    },
    {
      key: 'name',
      title: t('location.name'),
      width: 'minmax(140px, 1.2fr)',
      cell: ({ name }) => name || '–',
    },
    {
      key: 'receiver',
      title: t('location.receiver'),
      width: 'minmax(140px, 0.8fr)',
      cell: ({ receiver_mp_id }) => <span className="mono">{receiver_mp_id ?? '–'}</span>,
    },
    {
      key: 'created',
      title: t('location.created'),
      width: '160px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
  ];
  return (
    <>
      <PageHeader title={t('locations.title')} text={t('locations.text')}>
        {may('exportLocations') && (
          <DownloadButton label={t('locations.export')} load={() => loadMapping(tenant)} />
        )}
        {may('importLocations') && (
          <Button variant="default" onClick={() => setImporting(true)}>
            {t('import.open')}
          </Button>
        )}
        {may('createLocation') && (
          <Button onClick={() => setAdding(true)}>{t('locations.add')}</Button>
        )}
      </PageHeader>
      <FilterBar active={filtered} clear={clear}>
        <FilterText
          label={t('locations.search')}
          value={q}
          width={280}
          onChange={(value) => change({ q: value })}
        />
        <FilterSelect
          label={t('location.kind')}
          all={t('filter.all')}
          value={kind}
          onChange={(value) => change({ kind: value })}
          options={LOCATION_KINDS.map((value) => ({ value, label: t(`locationKind.${value}`) }))}
        />
      </FilterBar>
      <DataTable
        label={t('locations.title')}
        columns={columns}
        list={list}
        rowKey={({ code }) => code}
        href={({ code }) => `/t/${tenant}/locations/${code}`}
        height="calc(100dvh - 280px)"
        empty={
          filtered ? (
            <EmptyState title={t('filter.none')} text={t('filter.noneText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('filter.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('locations.empty')} text={t('locations.emptyText')}>
              {may('createLocation') && (
                <Button size="xs" onClick={() => setAdding(true)}>
                  {t('locations.add')}
                </Button>
              )}
            </EmptyState>
          )
        }
      />
      {adding && <AddLocation close={() => setAdding(false)} />}
      <CsvImport
        opened={importing}
        close={() => setImporting(false)}
        title={t('locations.import')}
        help={t('locations.importHelp')}
        example={
          'code;kind;name;receiver_mp_id;device;register;obis;valid_from\nDE0009991011500000000000000000001;melo;Hauptstr. 1;9900999000205;SIM-00830384-10-02;1-0:1.8.0*255;1-1:1.29.0;2026-01-01T00:00:00Z'
        }
        send={async (csv, key) => {
          const result = await call(
            api.POST('/api/v1/tenants/{tenant}/locations/import', {
              params: { path: { tenant }, header: { 'Idempotency-Key': key } },
              headers: { 'Content-Type': 'text/csv' },
              body: csv as never,
              bodySerializer: (body: unknown) => String(body),
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'locations') });
          return result;
        }}
      />
    </>
  );
}

/** Every location and binding, in the shape that the import reads. */
async function loadMapping(tenant: string) {
  const blob = await joinCsv(async (cursor) => {
    const { data, response } = await callFull(
      api.GET('/api/v1/tenants/{tenant}/locations/export', {
        params: { path: { tenant }, query: { ...(cursor ? { cursor } : {}) } },
        parseAs: 'text',
      }),
    );
    return { text: data, next: response.headers.get('X-Next-Cursor') };
  });
  return { blob, name: `${fileName(tenant, 'locations')}.csv` };
}

function AddLocation({ close }: { close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: { kind: 'malo' as Kind, code: '', name: '', receiver_mp_id: '' },
    validate: {
      code: (value, { kind }) => {
        const fault = locationFault(kind, value);
        return fault ? t(`codeFault.${kind}.${fault}`, { count: value.length }) : null;
      },
      receiver_mp_id: (value) => {
        const check = checkMpId(value);
        return value === '' || check.ok ? null : t(`mpIdFault.${check.reason}`);
      },
    },
  });
  const { kind, code } = form.values;
  const run = async (values: typeof form.values) => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/locations', {
        params: { path: { tenant }, header: { 'Idempotency-Key': key } },
        body: {
          code: values.code,
          kind: values.kind,
          ...(values.name ? { name: values.name } : {}),
          ...(values.receiver_mp_id ? { receiver_mp_id: values.receiver_mp_id } : {}),
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'locations') });
    navigate(`/t/${tenant}/locations/${values.code}`);
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('locations.add')}
      action={t('common:create')}
      form={form}
      run={run}
      size="lg"
    >
      <Stack gap={4}>
        <SegmentedControl
          aria-label={t('location.kind')}
          data={LOCATION_KINDS.map((value) => ({ value, label: t(`locationKind.${value}`) }))}
          {...form.getInputProps('kind')}
        />
        <Text size="xs" c="var(--emt-dimmed)">
          {t(`locationKind.${kind}Text`)}
        </Text>
      </Stack>
      <TextInput
        label={t('location.code')}
        description={t(`location.${kind}Hint`)}
        required
        data-autofocus
        classNames={{ input: 'mono' }}
        maxLength={40}
        {...form.getInputProps('code')}
        onChange={(event) => {
          const next = event.currentTarget.value.replace(/\s/g, '').toUpperCase();
          form.setFieldValue('code', next);
          const meant = guessKind(next);
          if (meant && !(meant === 'malo' && kind === 'tranche')) form.setFieldValue('kind', meant);
        }}
      />
      <CodeHelp kind={kind} code={code} />
      <TextInput label={t('location.name')} maxLength={200} {...form.getInputProps('name')} />
      <TextInput
        label={t('location.receiver')}
        description={t('location.receiverHint')}
        inputMode="numeric"
        maxLength={13}
        classNames={{ input: 'mono' }}
        {...form.getInputProps('receiver_mp_id')}
      />
    </FormDialog>
  );
}
