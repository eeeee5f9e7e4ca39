import { Button, Group, NumberInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { displayUnit } from '@/components/measure/decimal';
import { dayInstant, dayText } from '@/components/measure/localTime';
import { useTenant } from '@/session/context';

type Calculated = Schemas['Calculated'];

/** Channels whose values are computed from others by a formula. */
export default function CalculatedPage() {
  const { t } = useTranslation('values');
  const { tenant, may } = useTenant();
  const [creating, setCreating] = useState(false);
  const [changing, setChanging] = useState<Calculated | null>(null);
  const list = useCursorList(tenantKey(tenant, 'calculated'), (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/calculated-channels', {
        params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const create = may('createCalculatedChannel') && (
    <Button onClick={() => setCreating(true)}>{t('calculated.new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('calculated.title')} text={t('calculated.text')}>
        {create}
      </PageHeader>
      <DataTable
        label={t('calculated.title')}
        list={list}
        rowKey={({ channel }) => channel}
        href={({ channel }) => `/t/${tenant}/channels/${channel}`}
        minWidth={900}
        columns={[
          {
            key: 'name',
            title: t('calculated.name'),
            width: 'minmax(160px, 1fr)',
            cell: ({ name }) => name,
          },
          {
            key: 'formula',
            title: t('calculated.formula'),
            width: 'minmax(220px, 2fr)',
            cell: ({ versions }) => <span className="mono">{versions.at(-1)?.formula}</span>,
          },
          {
            key: 'unit',
            title: t('channel.unit'),
            width: '80px',
            cell: ({ unit }) => displayUnit(unit || null) || '–',
          },
          {
            key: 'step',
            title: t('calculated.step'),
            width: '120px',
            cell: ({ step_s }) =>
              step_s === 0 ? t('calculated.anyTime') : t('calculated.seconds', { count: step_s }),
          },
          {
            key: 'versions',
            title: t('calculated.versions'),
            width: '100px',
            align: 'right',
            cell: ({ versions }) => versions.length,
          },
          {
            key: 'by',
            title: t('calculated.by'),
            width: 'minmax(120px, 1fr)',
            cell: ({ created_by }) => created_by,
          },
          {
            key: 'created',
            title: t('calculated.created'),
            width: '150px',
            cell: ({ created_at }) => <Time at={created_at} />,
          },
          {
            key: 'menu',
            title: '',
            width: '32px',
            cell: (row) => (
              <RowMenu
                label={t('calculated.actions', { name: row.name })}
                actions={
                  may('addCalculatedVersion')
                    ? [{ label: t('calculated.change'), run: () => setChanging(row) }]
                    : []
                }
              />
            ),
          },
        ]}
        empty={
          <EmptyState title={t('calculated.empty')} text={t('calculated.emptyText')}>
            {create}
          </EmptyState>
        }
      />
      {creating && <NewFormula close={() => setCreating(false)} />}
      {changing && <NextFormula calculated={changing} close={() => setChanging(null)} />}
    </>
  );
}

function NewFormula({ close }: { close: () => void }) {
  const { t } = useTranslation(['values', 'common']);
  const { tenant } = useTenant();
  const [key] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: { name: '', formula: '', unit: '', step_s: 900 as number | string },
    validate: {
      name: (value) => (value.trim() ? null : t('common:form.required')),
      formula: (value) => (value.trim() ? null : t('common:form.required')),
      step_s: (value) => (typeof value === 'number' ? null : t('common:form.required')),
    },
  });
  const create = useAction(
    ({ name, formula, unit, step_s }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/calculated-channels', {
          params: { path: { tenant }, header: { 'Idempotency-Key': key } },
          body: {
            name: name.trim(),
            formula: formula.trim(),
            step_s: Number(step_s),
            ...(unit.trim() ? { unit: unit.trim() } : {}),
          },
        }),
      ),
    { changes: [tenantKey(tenant, 'calculated')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      size="lg"
      title={t('calculated.new')}
      action={t('common:create')}
      form={form}
      run={(values) => create.mutateAsync(values)}
    >
      <TextInput
        label={t('calculated.name')}
        required
        maxLength={60}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <FormulaInput {...form.getInputProps('formula')} />
      <Group grow align="start">
        <TextInput
          label={t('channel.unit')}
          description={t('calculated.unitHint')}
          maxLength={20}
          {...form.getInputProps('unit')}
        />
        <NumberInput
          label={t('calculated.step')}
          description={t('calculated.stepHint')}
          min={0}
          max={86400}
          allowDecimal={false}
          {...form.getInputProps('step_s')}
        />
      </Group>
    </FormDialog>
  );
}

function NextFormula({ calculated, close }: { calculated: Calculated; close: () => void }) {
  const { t } = useTranslation('values');
  const { tenant } = useTenant();
  const [key] = useState(newIdempotencyKey);
  const [now] = useState(() => Date.now());
  const form = useForm({
    initialValues: { formula: calculated.versions.at(-1)?.formula ?? '', valid_from: dayText(now) },
    validate: {
      formula: (value) => (value.trim() ? null : t('common:form.required')),
      valid_from: (value) => (dayInstant(value) === undefined ? t('calculated.fromFault') : null),
    },
  });
  const add = useAction(
    ({ formula, valid_from }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/calculated-channels/{channel}/versions', {
          params: {
            path: { tenant, channel: calculated.channel },
            header: { 'Idempotency-Key': key },
          },
          body: {
            formula: formula.trim(),
            valid_from: new Date(dayInstant(valid_from) ?? 0).toISOString(),
          },
        }),
      ),
    { changes: [tenantKey(tenant, 'calculated')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      size="lg"
      title={t('calculated.changeTitle', { name: calculated.name })}
      action={t('calculated.change')}
      form={form}
      run={(values) => add.mutateAsync(values)}
    >
      <FormulaInput {...form.getInputProps('formula')} />
      <TextInput
        type="date"
        label={t('calculated.from')}
        description={t('calculated.fromHint')}
        required
        {...form.getInputProps('valid_from')}
      />
    </FormDialog>
  );
}

function FormulaInput(props: object) {
  const { t } = useTranslation('values');
  return (
    <TextInput
      label={t('calculated.formula')}
      description={t('calculated.formulaHint')}
      required
      maxLength={500}
      classNames={{ input: 'mono' }}
      {...props}
    />
  );
}
