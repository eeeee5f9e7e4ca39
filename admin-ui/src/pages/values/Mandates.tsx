import { Button, Group, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { Panel } from '@/components/Panel';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { dayInstant, dayText } from '@/components/measure/localTime';
import { useTenant } from '@/session/context';

type Mandate = Schemas['Mandate'];

/** Who outside of the tenant may get this location's values, for what and when. */
export function Mandates({ location }: { location: string }) {
  const { t } = useTranslation('values');
  const { tenant, may } = useTenant();
  const [adding, setAdding] = useState(false);
  const [deleting, setDeleting] = useState<Mandate | null>(null);
  const key = tenantKey(tenant, 'location', location, 'mandates');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/mandates', {
        params: {
          path: { tenant },
          query: { location, limit: 100, ...(cursor ? { cursor } : {}) },
        },
      }),
    ),
  );
  const remove = useAction(
    (mandate_id: number) =>
      call(
        api.DELETE('/api/v1/tenants/{tenant}/mandates/{mandate_id}', {
          params: { path: { tenant, mandate_id } },
        }),
      ),
    { changes: [key] },
  );
  const add = may('createMandate') && (
    <Button size="xs" onClick={() => setAdding(true)}>
      {t('mandates.add')}
    </Button>
  );
  return (
    <Panel title={t('mandates.title')}>
      <Group justify="space-between" mb="xs">
        <Text size="xs" c="var(--emt-dimmed)">
          {t('mandates.text')}
        </Text>
        {list.rows.length > 0 && add}
      </Group>
      <DataTable
        label={t('mandates.title')}
        list={list}
        rowKey={({ id }) => id}
        minWidth={760}
        columns={[
          {
            key: 'recipient',
            title: t('mandates.recipient'),
            width: 'minmax(130px, 1fr)',
            cell: ({ recipient }) => <span className="mono">{recipient}</span>,
          },
          {
            key: 'purpose',
            title: t('mandates.purpose'),
            width: 'minmax(160px, 1.5fr)',
            cell: ({ purpose }) => purpose,
          },
          {
            key: 'from',
            title: t('mandates.from'),
            width: '150px',
            cell: ({ from }) => <Time at={from} />,
          },
          {
            key: 'to',
            title: t('mandates.to'),
            width: '150px',
            cell: ({ to }) => (to ? <Time at={to} /> : t('mandates.open')),
          },
          {
            key: 'evidence',
            title: t('mandates.evidence'),
            width: 'minmax(120px, 1fr)',
            cell: ({ evidence }) => <span title={evidence}>{evidence || '–'}</span>,
          },
          {
            key: 'menu',
            title: '',
            width: '32px',
            cell: (row) => (
              <RowMenu
                label={t('mandates.actions', { recipient: row.recipient })}
                actions={
                  may('deleteMandate')
                    ? [{ label: t('mandates.remove'), danger: true, run: () => setDeleting(row) }]
                    : []
                }
              />
            ),
          },
        ]}
        empty={
          <EmptyState title={t('mandates.empty')} text={t('mandates.emptyText')}>
            {add}
          </EmptyState>
        }
      />
      {adding && <AddMandate location={location} close={() => setAdding(false)} />}
      {deleting && (
        <Confirm
          opened
          close={() => setDeleting(null)}
          title={t('mandates.remove')}
          text={t('mandates.removeText', { recipient: deleting.recipient })}
          action={t('mandates.remove')}
          run={() => remove.mutateAsync(deleting.id)}
        />
      )}
    </Panel>
  );
}

function AddMandate({ location, close }: { location: string; close: () => void }) {
  const { t } = useTranslation(['values', 'common']);
  const { tenant } = useTenant();
  const [key] = useState(newIdempotencyKey);
  const [now] = useState(() => Date.now());
  const form = useForm({
    initialValues: { recipient: '', purpose: '', from: dayText(now), to: '', evidence: '' },
    validate: {
      recipient: (value) => (value.trim() ? null : t('common:form.required')),
      purpose: (value) => (value.trim() ? null : t('common:form.required')),
      from: (value) => (dayInstant(value) === undefined ? t('mandates.dayFault') : null),
      to: (value, { from }) =>
        value === '' || (dayInstant(value) ?? 0) > (dayInstant(from) ?? 0)
          ? null
          : t('mandates.toFault'),
    },
  });
  const instant = (day: string) => new Date(dayInstant(day) ?? 0).toISOString();
  const add = useAction(
    ({ recipient, purpose, from, to, evidence }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/mandates', {
          params: { path: { tenant }, header: { 'Idempotency-Key': key } },
          body: {
            location,
            recipient: recipient.trim(),
            purpose: purpose.trim(),
            from: instant(from),
            ...(to ? { to: instant(to) } : {}),
            ...(evidence.trim() ? { evidence: evidence.trim() } : {}),
          },
        }),
      ),
    { changes: [tenantKey(tenant, 'location', location, 'mandates')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('mandates.add')}
      action={t('mandates.add')}
      form={form}
      run={(values) => add.mutateAsync(values)}
    >
      <TextInput
        label={t('mandates.recipient')}
        description={t('mandates.recipientHint')}
        required
        maxLength={100}
        classNames={{ input: 'mono' }}
        data-autofocus
        {...form.getInputProps('recipient')}
      />
      <TextInput
        label={t('mandates.purpose')}
        description={t('mandates.purposeHint')}
        required
        maxLength={200}
        {...form.getInputProps('purpose')}
      />
      <Group grow align="start">
        <TextInput
          type="date"
          label={t('mandates.from')}
          required
          {...form.getInputProps('from')}
        />
        <TextInput
          type="date"
          label={t('mandates.to')}
          description={t('mandates.toHint')}
          {...form.getInputProps('to')}
        />
      </Group>
      <TextInput
        label={t('mandates.evidence')}
        description={t('mandates.evidenceHint')}
        maxLength={1000}
        {...form.getInputProps('evidence')}
      />
    </FormDialog>
  );
}
