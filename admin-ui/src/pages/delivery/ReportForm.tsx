import {
  Button,
  Checkbox,
  Group,
  NativeSelect,
  NumberInput,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey } from '@/api/client';
import { ApiError, asApiError } from '@/api/problem';
import { tenantKey, useAction } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { ProblemAlert } from '@/components/ProblemAlert';
import { useTenant } from '@/session/context';
import {
  loadReport,
  useReadyReports,
  type ReportDefinition,
  type ReportTemplate,
} from './useReports';
import { ifMatch, useGuarded, type Versioned } from './versioned';

/** members that are one word of a list, with their words */
const WORDS = {
  shape: ['values', 'meters', 'matrix'],
  format: ['csv', 'xml', 'xlsx'],
  measure: ['readings', 'energy'],
  energy_unit: ['kWh', 'Wh'],
  language: ['de', 'en'],
  time_zone: ['Europe/Berlin', 'UTC'],
  field_separator: ['semicolon', 'comma', 'tab', 'pipe'],
  decimal_separator: ['comma', 'point'],
  encoding: ['utf-8', 'utf-8-bom', 'cp1252'],
  unrepresentable: ['replace', 'refuse'],
  quoting: ['needed', 'always'],
  line_end: ['crlf', 'lf'],
  grid: ['wall-clock', 'day'],
} as const;
type Word = keyof typeof WORDS;
const FIRST: readonly Word[] = ['shape', 'format', 'measure', 'energy_unit'];
const REST = (Object.keys(WORDS) as Word[]).filter((word) => !FIRST.includes(word));
const TEXTS = [
  'time_format',
  'date_format',
  'clock_format',
  'file_name',
  'preamble',
  'title',
  'company',
  'logo_text',
  'contact_name',
  'contact_mail',
  'contact_phone',
] as const;
const FLAGS = ['heading', 'letterhead', 'cell_status'] as const;
const STEPS = [300, 600, 900, 1800, 3600, 86400];

interface Values
  extends Record<string, unknown>, Omit<ReportDefinition, 'columns' | 'decimals' | 'step_s'> {
  name: string;
  ready: string;
  columns: string;
  quantities: string;
  history: boolean;
  decimals: number | '';
  step_s: string;
}

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

function valuesOf(name: string, definition: ReportDefinition, more?: ReportTemplate): Values {
  return {
    ...definition,
    name,
    ready: '',
    columns: definition.columns.join('\n'),
    quantities: (more?.quantities ?? []).join('\n'),
    history: more?.history ?? false,
    decimals: definition.decimals < 0 ? '' : definition.decimals,
    step_s: String(definition.step_s),
  };
}

function bodyOf({ name, ready, columns, quantities, history, decimals, step_s, ...rest }: Values) {
  void ready;
  const definition = {
    ...rest,
    columns: lines(columns),
    decimals: decimals === '' ? -1 : Number(decimals),
    step_s: Number(step_s),
  } as ReportDefinition;
  return { name: name.trim(), definition, quantities: lines(quantities), history };
}

/** The server says where it is wrong as "definition.columns[2]": the form's field is "columns". */
function atField(failure: unknown): unknown {
  const error = asApiError(failure);
  const field = error.problem?.field?.replace(/^definition\./, '').replace(/\[.*$/, '');
  return error.problem && field
    ? new ApiError(error.kind, error.status, { ...error.problem, field }, error.retryAfterS)
    : failure;
}

export function NewReport({ close }: { close: () => void }) {
  const { t } = useTranslation('reports');
  const { tenant } = useTenant();
  const { data } = useReadyReports();
  const [key, setKey] = useState(newIdempotencyKey);
  const first = data?.items[0];
  if (!first) return null;
  return (
    <ReportForm
      start={valuesOf('', first.definition)}
      isNew
      close={close}
      title={t('new')}
      action={t('common:create')}
      changed={() => setKey(newIdempotencyKey())}
      save={(body) =>
        call(
          api.POST('/api/v1/tenants/{tenant}/report-templates', {
            params: { path: { tenant }, header: { 'Idempotency-Key': key } },
            body,
          }),
        )
      }
    />
  );
}

export function EditReport({
  current,
  close,
}: {
  current: Versioned<ReportTemplate>;
  close: () => void;
}) {
  const { t } = useTranslation('reports');
  const { tenant } = useTenant();
  const { before, guard } = useGuarded(current, () => loadReport(tenant, current.value.id));
  return (
    <ReportForm
      start={valuesOf(before.name, before.definition, before)}
      close={close}
      title={t('editTitle', { name: before.name })}
      action={t('common:save')}
      save={(body) =>
        guard((etag) =>
          call(
            api.PATCH('/api/v1/tenants/{tenant}/report-templates/{template_id}', {
              params: { path: { tenant, template_id: before.id }, header: ifMatch(etag) },
              body,
            }),
          ),
        )
      }
    />
  );
}

interface Props {
  start: Values;
  isNew?: boolean;
  close: () => void;
  title: string;
  action: string;
  changed?: () => void;
  save: (body: ReturnType<typeof bodyOf>) => Promise<ReportTemplate>;
}

function ReportForm({ start, isNew, close, title, action, changed, save }: Props) {
  const { t, i18n } = useTranslation('reports');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const { data: ready } = useReadyReports();
  const form = useForm<Values>({
    initialValues: start,
    validate: {
      name: (value) => (value.trim() ? null : t('common:form.required')),
      columns: (value) => (lines(value).length > 0 ? null : t('common:form.required')),
    },
    onValuesChange: () => changed?.(),
  });
  const look = useAction(() => {
    const { definition, quantities, history } = bodyOf(form.values);
    return call(
      api.POST('/api/v1/tenants/{tenant}/report-preview', {
        params: { path: { tenant }, header: { 'Idempotency-Key': newIdempotencyKey() } },
        body: { definition, quantities, history },
      }),
    );
  });
  const run = async (filled: Values) => {
    try {
      await save(bodyOf(filled));
    } catch (failure) {
      throw atField(failure);
    }
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'report-templates') });
  };
  const choose = (name: string) => {
    const found = ready?.items.find((one) => one.name === name);
    if (found) form.setValues({ ...valuesOf(form.values.name, found.definition), ready: name });
  };
  const word = (name: Word) => (
    <NativeSelect
      key={name}
      label={t(`field.${name}`)}
      data={WORDS[name].map((value) => ({ value, label: t(`word.${name}.${value}`) }))}
      {...form.getInputProps(name)}
    />
  );
  return (
    <FormDialog opened close={close} title={title} action={action} form={form} run={run} size="xl">
      <TextInput
        label={t('field.name')}
        required
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      {isNew && (
        <NativeSelect
          label={t('field.ready')}
          data={(ready?.items ?? []).map(({ name, title_de, title_en }) => ({
            value: name,
            label: i18n.language === 'de' ? title_de : title_en,
          }))}
          value={form.values.ready || 'values'}
          onChange={(event) => choose(event.currentTarget.value)}
        />
      )}
      <Group grow align="start">
        {FIRST.map(word)}
      </Group>
      <Textarea
        label={t('field.columns')}
        description={t('columnsHint')}
        classNames={{ input: 'mono' }}
        autosize
        minRows={4}
        maxRows={12}
        required
        {...form.getInputProps('columns')}
      />
      <Textarea
        label={t('field.quantities')}
        description={t('quantitiesHint')}
        classNames={{ input: 'mono' }}
        autosize
        minRows={1}
        maxRows={6}
        {...form.getInputProps('quantities')}
      />
      <Group grow align="start">
        <NumberInput
          label={t('field.decimals')}
          description={t('decimalsHint')}
          min={0}
          max={9}
          allowDecimal={false}
          {...form.getInputProps('decimals')}
        />
        <NativeSelect
          label={t('field.step_s')}
          description={t('stepHint')}
          data={STEPS.map((seconds) => ({ value: String(seconds), label: t(`step.${seconds}`) }))}
          {...form.getInputProps('step_s')}
        />
      </Group>
      <details>
        <summary>{t('more')}</summary>
        <Stack mt="sm">
          {REST.map(word)}
          {TEXTS.map((name) => (
            <TextInput
              key={name}
              label={t(`field.${name}`)}
              maxLength={200}
              {...form.getInputProps(name)}
            />
          ))}
          {FLAGS.map((name) => (
            <Checkbox
              key={name}
              label={t(`field.${name}`)}
              {...form.getInputProps(name, { type: 'checkbox' })}
            />
          ))}
          <Checkbox
            label={t('field.history')}
            {...form.getInputProps('history', { type: 'checkbox' })}
          />
        </Stack>
      </details>
      <Stack gap={6}>
        <Group justify="space-between">
          <Text size="sm">{t('previewText')}</Text>
          <Button
            variant="default"
            size="xs"
            loading={look.isPending}
            onClick={() => look.mutate(undefined)}
          >
            {t('preview')}
          </Button>
        </Group>
        <ProblemAlert error={look.error} />
        {look.data && (
          <pre
            className="mono"
            style={{ overflowX: 'auto', maxHeight: 240, margin: 0 }}
            tabIndex={0}
            aria-label={t('preview')}
          >
            {look.data.content}
          </pre>
        )}
      </Stack>
    </FormDialog>
  );
}
