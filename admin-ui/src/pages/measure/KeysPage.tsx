import {
  ActionIcon,
  Button,
  Group,
  NumberInput,
  PasswordInput,
  Text,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { CsvImport } from '@/components/measure/CsvImport';
import { useFilters } from '@/components/measure/useFilters';
import { useTenant } from '@/session/context';

type MeterKey = Schemas['MeterKey'];

export default function KeysPage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  // The page of a waiting frame links here with what it knows of the meter.
  const [wanted, change] = useFilters(['add', 'number', 'manufacturer']);
  const [importing, setImporting] = useState(false);
  const [doomed, setDoomed] = useState<MeterKey | null>(null);
  const key = tenantKey(tenant, 'meter-keys');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/meter-keys', {
        params: { path: { tenant }, query: { limit: 200, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const hex = (value: number | null) =>
    value === null ? t('key.any') : `${value} (${value.toString(16).padStart(2, '0')}h)`;
  const columns: Column<MeterKey>[] = [
    {
      key: 'number',
      title: t('device.number'),
      width: 'minmax(130px, 1fr)',
      cell: ({ number }) => <span className="mono">{number ?? t('key.any')}</span>,
    },
    {
      key: 'manufacturer',
      title: t('device.manufacturer'),
      width: 'minmax(110px, 0.7fr)',
      cell: ({ manufacturer }) => manufacturer ?? t('key.any'),
    },
    {
      key: 'version',
      title: t('key.version'),
      width: 'minmax(110px, 0.7fr)',
      cell: ({ version }) => hex(version),
    },
    {
      key: 'type',
      title: t('key.type'),
      width: 'minmax(110px, 0.7fr)',
      cell: ({ type }) => hex(type),
    },
    {
      key: 'label',
      title: t('key.label'),
      width: 'minmax(150px, 1.4fr)',
      cell: ({ label }) => label || '–',
    },
    {
      key: 'created',
      title: t('key.created'),
      width: '160px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
  ];
  if (may('deleteMeterKey'))
    columns.push({
      key: 'delete',
      title: t('action'),
      width: '70px',
      cell: (row) => (
        <ActionIcon
          variant="subtle"
          color="red"
          size="sm"
          aria-label={t('key.deleteOf', { number: row.number ?? row.id })}
          title={t('common:delete')}
          onClick={() => setDoomed(row)}
        >
          ✕
        </ActionIcon>
      ),
    });
  const add = () => change({ add: '1' });
  return (
    <>
      <PageHeader title={t('keys.title')} text={t('keys.text')}>
        {may('createMeterKey') && (
          <>
            <Button variant="default" onClick={() => setImporting(true)}>
              {t('import.open')}
            </Button>
            <Button onClick={add}>{t('keys.add')}</Button>
          </>
        )}
      </PageHeader>
      <DataTable
        label={t('keys.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        empty={
          <EmptyState title={t('keys.empty')} text={t('keys.emptyText')}>
            {may('createMeterKey') && (
              <Group gap="xs">
                <Button size="xs" variant="default" onClick={() => setImporting(true)}>
                  {t('import.open')}
                </Button>
                <Button size="xs" onClick={add}>
                  {t('keys.add')}
                </Button>
              </Group>
            )}
          </EmptyState>
        }
      />
      {wanted.add && may('createMeterKey') && (
        <AddKey
          number={wanted.number ?? ''}
          manufacturer={wanted.manufacturer ?? ''}
          close={() => change({ add: undefined, number: undefined, manufacturer: undefined })}
        />
      )}
      <CsvImport
        opened={importing}
        close={() => setImporting(false)}
        title={t('keys.import')}
        help={t('keys.importHelp')}
        example={
          'address;key;manufacturer;deviceType;version;label\n60723506;000102030405060708090A0B0C0D0E0F;KAM;12;25;Heizung West'
        }
        secret
        send={async (csv, idempotencyKey) => {
          const result = await call(
            api.POST('/api/v1/tenants/{tenant}/meter-keys', {
              params: { path: { tenant }, header: { 'Idempotency-Key': idempotencyKey } },
              headers: { 'Content-Type': 'text/csv' },
              body: csv as never,
              bodySerializer: (body: unknown) => String(body),
            }),
          );
          await client.invalidateQueries({ queryKey: key });
          return result as Schemas['ImportResult'];
        }}
      />
      <Confirm
        opened={doomed !== null}
        close={() => setDoomed(null)}
        title={t('key.deleteTitle')}
        text={t('key.deleteText', {
          number: doomed?.number ?? t('key.any'),
          manufacturer: doomed?.manufacturer ?? t('key.any'),
        })}
        action={t('common:delete')}
        run={async () => {
          if (!doomed) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/meter-keys/{key_id}', {
              params: { path: { tenant, key_id: doomed.id } },
            }),
          );
          await client.invalidateQueries({ queryKey: key });
        }}
      />
    </>
  );
}

function AddKey({
  number,
  manufacturer,
  close,
}: {
  number: string;
  manufacturer: string;
  close: () => void;
}) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: {
      number,
      manufacturer,
      version: '' as number | '',
      type: '' as number | '',
      label: '',
      key: '',
    },
    validate: {
      number: (value) =>
        value === '' || /^[0-9A-Fa-f]{1,32}$/.test(value) ? null : t('key.numberFault'),
      manufacturer: (value) =>
        value === '' || /^[A-Z]{3}$/.test(value) ? null : t('key.manufacturerFault'),
      key: (value) =>
        /^([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})$/.test(bare(value))
          ? null
          : t('key.keyFault'),
    },
  });
  const run = async (values: typeof form.values) => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/meter-keys', {
        params: { path: { tenant }, header: { 'Idempotency-Key': idempotencyKey } },
        body: {
          key: bare(values.key),
          ...(values.number ? { number: values.number } : {}),
          ...(values.manufacturer ? { manufacturer: values.manufacturer } : {}),
          ...(values.version === '' ? {} : { version: values.version }),
          ...(values.type === '' ? {} : { type: values.type }),
          ...(values.label ? { label: values.label } : {}),
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'meter-keys') });
    notifications.show({
      message: t('keys.added'),
      closeButtonProps: { 'aria-label': t('common:close') },
    });
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('keys.add')}
      action={t('keys.add')}
      form={form}
      run={run}
    >
      <Text size="sm">{t('key.formText')}</Text>
      <Group grow align="start">
        <TextInput
          label={t('device.number')}
          description={t('key.numberHint')}
          className="mono"
          {...form.getInputProps('number')}
        />
        <TextInput
          label={t('device.manufacturer')}
          description={t('key.manufacturerHint')}
          maxLength={3}
          {...form.getInputProps('manufacturer')}
          onChange={(event) =>
            form.setFieldValue('manufacturer', event.currentTarget.value.toUpperCase())
          }
        />
      </Group>
      <PasswordInput
        label={t('key.key')}
        description={t('key.keyHint')}
        required
        autoComplete="off"
        visibilityToggleButtonProps={{ 'aria-label': t('key.show') }}
        data-autofocus
        {...form.getInputProps('key')}
      />
      <Group grow align="start">
        <NumberInput
          label={t('key.version')}
          description={t('key.optional')}
          min={0}
          max={255}
          allowDecimal={false}
          hideControls
          {...form.getInputProps('version')}
        />
        <NumberInput
          label={t('key.type')}
          description={t('key.optional')}
          min={0}
          max={255}
          allowDecimal={false}
          hideControls
          {...form.getInputProps('type')}
        />
      </Group>
      <TextInput
        label={t('key.label')}
        description={t('key.labelHint')}
        maxLength={100}
        {...form.getInputProps('label')}
      />
    </FormDialog>
  );
}

/** Keys come with spaces or colons between the bytes. */
const bare = (key: string) => key.replace(/[\s:-]/g, '');
