import { Group, NativeSelect, Switch, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { displayUnit, parseDecimal } from '@/components/measure/decimal';
import type { Span } from '@/components/measure/localTime';
import { ZONE } from '@/lib/time';
import { useTenant } from '@/session/context';

const QUARTER = 900_000;
const QUALITIES = ['corrected', 'substitute', 'estimated', 'provisional', 'invalid'] as const;

interface Props {
  channel: Schemas['Channel'];
  span: Span;
  /** the day's values */
  values: Schemas['Reading'][];
  /** of the value to correct; null: chosen in the form */
  ts: string | null;
  close: () => void;
}

/** The day's quarter hours and the times of its values; a clock change shows both hours apart. */
export function timesOf({ from, to }: Span, stored: string[]): number[] {
  const times = new Set(stored.map((ts) => Date.parse(ts)));
  for (let at = from; at < to; at += QUARTER) times.add(at);
  return [...times].sort((a, b) => a - b);
}

function timeLabel(at: number, language: string): string {
  return new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'de-DE', {
    timeZone: ZONE,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
    timeZoneName: 'short',
  }).format(at);
}

export function CorrectValue({ channel, span, values, ts, close }: Props) {
  const { t, i18n } = useTranslation(['values', 'measure']);
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key] = useState(newIdempotencyKey);
  const form = useForm({
    initialValues: {
      ts: String(ts === null ? span.from : Date.parse(ts)),
      value: '',
      quality: 'corrected' as (typeof QUALITIES)[number],
      over_measured: false,
      method: '',
      reason: '',
    },
    validate: {
      value: (value) => (parseDecimal(value.replace(',', '.')) ? null : t('correct.valueFault')),
      reason: (value) => (value.trim() ? null : t('common:form.required')),
    },
  });
  const before = values.find((v) => Date.parse(v.ts) === Number(form.values.ts));
  const run = async (given: typeof form.values) => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/channels/{channel}/corrections', {
        params: {
          path: { tenant, channel: channel.id },
          header: { 'Idempotency-Key': key },
        },
        body: {
          values: [
            {
              ts: new Date(Number(given.ts)).toISOString(),
              value: given.value.replace(',', '.'),
              quality: given.quality,
              reason: given.reason.trim(),
              ...(given.method.trim() ? { method: given.method.trim() } : {}),
              ...(given.quality !== 'corrected' && given.over_measured
                ? { over_measured: true }
                : {}),
            },
          ],
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'channel', channel.id) });
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('correct.title')}
      action={t('correct.action')}
      form={form}
      run={run}
      size="lg"
    >
      <Group grow align="start">
        <NativeSelect
          label={t('value.at')}
          description={t('correct.atHint')}
          data={timesOf(
            span,
            values.map((v) => v.ts),
          ).map((at) => ({ value: String(at), label: timeLabel(at, i18n.language) }))}
          {...form.getInputProps('ts')}
        />
        <TextInput
          label={t('correct.value', { unit: displayUnit(channel.unit) || '–' })}
          description={
            before
              ? t('correct.before', {
                  value: before.value,
                  quality: t(`measure:quality.${before.quality}`),
                })
              : t('correct.nothingBefore')
          }
          required
          data-autofocus
          {...form.getInputProps('value')}
        />
      </Group>
      <NativeSelect
        label={t('value.quality')}
        description={t(`correct.qualityHint.${form.values.quality}`)}
        data={QUALITIES.map((value) => ({ value, label: t(`measure:quality.${value}`) }))}
        {...form.getInputProps('quality')}
      />
      {form.values.quality !== 'corrected' && (
        <Switch
          label={t('correct.overMeasured')}
          description={t('correct.overMeasuredHint')}
          {...form.getInputProps('over_measured', { type: 'checkbox' })}
        />
      )}
      <TextInput
        label={t('correct.reason')}
        description={t('correct.reasonHint')}
        required
        maxLength={500}
        {...form.getInputProps('reason')}
      />
      <TextInput
        label={t('correct.method')}
        description={t('correct.methodHint')}
        maxLength={200}
        {...form.getInputProps('method')}
      />
      <Text size="xs" c="var(--emt-dimmed)">
        {t('correct.kept')}
      </Text>
    </FormDialog>
  );
}
