import {
  Alert,
  Checkbox,
  Group,
  NativeSelect,
  NumberInput,
  SegmentedControl,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, callFull, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { DocumentSelect } from '@/components/measure/DocumentSelect';
import { documentFor } from '@/components/measure/documents';
import { guessKind, locationFault } from '@/components/measure/marketId';
import { formatTime } from '@/lib/time';
import { useTenant } from '@/session/context';
import { readCron } from './cron';
import { CronInput } from './CronInput';
import { addresses, type Target } from './targetFields';
import { useReports } from './useReports';
import { changedFields, ifMatch, useGuarded, type Versioned } from './versioned';

export type Schedule = Schemas['Schedule'];
type Body = Schemas['ScheduleNew'];
const PIDS: readonly NonNullable<Schedule['pid']>[] = [
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
const ZONES: readonly Schedule['time_zone'][] = ['Europe/Berlin', 'UTC'];

export async function loadSchedule(tenant: string, id: number): Promise<Versioned<Schedule>> {
  const { data, response } = await callFull(
    api.GET('/api/v1/tenants/{tenant}/schedules/{schedule_id}', {
      params: { path: { tenant, schedule_id: id } },
    }),
  );
  return { value: data, etag: response.headers.get('ETag') };
}

interface Values extends Record<string, unknown> {
  name: string;
  cron: string;
  time_zone: Schedule['time_zone'];
  /** a pid, or "report:" and the number of a template */
  what: string;
  /** '': the energies */
  document: string;
  location: string;
  open: 'open' | 'days';
  days: number | '';
  hold_gaps: boolean;
  test: boolean;
  run_missed: boolean;
  /** numbers as text; '': none */
  target: string;
  second_target: string;
  /** one per line */
  on_event: string;
  after_readout: boolean;
  until_now: boolean;
  interval_s: string;
  read_first: boolean;
  deadline_s: number | '';
  mail_to: string;
  /** of reports: who gets them, and whose mandates count */
  recipient: string;
}

const INTERVALS = [0, 900, 3600, 86400];
const REPORT = 'report:';
const isReport = (what: string) => what.startsWith(REPORT);
const eventsOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);

function scheduleValues(schedule: Schedule | null): Values {
  return {
    name: schedule?.name ?? '',
    cron: schedule ? schedule.cron : '?10-40 3 * * *',
    time_zone: schedule?.time_zone ?? 'Europe/Berlin',
    what: schedule?.template ? `${REPORT}${schedule.template}` : (schedule?.pid ?? '13018'),
    document: schedule?.document ?? '',
    location: schedule?.location ?? '',
    open: schedule && schedule.days > 0 ? 'days' : 'open',
    days: schedule?.days || 1,
    hold_gaps: schedule?.hold_gaps ?? false,
    test: schedule?.test ?? false,
    run_missed: schedule?.run_missed ?? true,
    target: schedule?.target ? String(schedule.target) : '',
    second_target: schedule?.second_target ? String(schedule.second_target) : '',
    on_event: (schedule?.on_event ?? []).join('\n'),
    after_readout: schedule?.after_readout ?? false,
    until_now: schedule?.until_now ?? false,
    interval_s: String(schedule?.interval_s ?? 0),
    read_first: schedule?.read_first ?? false,
    deadline_s: schedule?.deadline_s ?? 900,
    mail_to: (schedule?.mail_to ?? []).join('\n'),
    recipient: schedule?.recipient ?? '',
  };
}

function scheduleBody({ open, days, target, second_target, ...values }: Values) {
  return {
    name: values.name.trim(),
    cron: values.cron.trim(),
    time_zone: values.time_zone,
    pid: isReport(values.what) ? null : (values.what as Schedule['pid']),
    template: isReport(values.what) ? Number(values.what.slice(REPORT.length)) : null,
    document: documentFor(values.what, values.document),
    location: values.location || null,
    days: open === 'open' ? 0 : Number(days),
    hold_gaps: values.hold_gaps,
    test: values.test,
    run_missed: values.run_missed,
    target: target ? Number(target) : null,
    second_target: target && second_target ? Number(second_target) : null,
    on_event: eventsOf(values.on_event),
    after_readout: values.after_readout,
    read_first: values.read_first,
    deadline_s: Number(values.deadline_s) || 900,
    until_now: isReport(values.what) && values.until_now,
    interval_s: isReport(values.what) ? Number(values.interval_s) : 0,
    mail_to: isReport(values.what) ? addresses(values.mail_to) : [],
    recipient: isReport(values.what) ? values.recipient.trim() : '',
  } satisfies Body;
}

export function NewSchedule({ targets, close }: { targets: Target[]; close: () => void }) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  return (
    <ScheduleForm
      schedule={null}
      targets={targets}
      close={close}
      title={t('schedules.new')}
      action={t('common:create')}
      changed={() => setKey(newIdempotencyKey())}
      save={(body) =>
        call(
          api.POST('/api/v1/tenants/{tenant}/schedules', {
            params: { path: { tenant }, header: { 'Idempotency-Key': key } },
            body,
          }),
        )
      }
    />
  );
}

export function EditSchedule({
  current,
  targets,
  close,
}: {
  current: Versioned<Schedule>;
  targets: Target[];
  close: () => void;
}) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const { before, seen, guard } = useGuarded(current, () => loadSchedule(tenant, current.value.id));
  return (
    <ScheduleForm
      schedule={before}
      seen={seen}
      targets={targets}
      close={close}
      title={t('schedule.editTitle', { name: before.name })}
      action={t('common:save')}
      save={async (body) => {
        const changed = changedFields(body, before);
        if (Object.keys(changed).length === 0) return before;
        return guard((etag) =>
          call(
            api.PATCH('/api/v1/tenants/{tenant}/schedules/{schedule_id}', {
              params: { path: { tenant, schedule_id: before.id }, header: ifMatch(etag) },
              body: changed,
            }),
          ),
        );
      }}
    />
  );
}

interface Props {
  schedule: Schedule | null;
  seen?: Schedule;
  targets: Target[];
  close: () => void;
  title: string;
  action: string;
  changed?: () => void;
  save: (body: ReturnType<typeof scheduleBody>) => Promise<Schedule>;
}

function ScheduleForm({ schedule, seen, targets, close, title, action, changed, save }: Props) {
  const { t, i18n } = useTranslation(['delivery', 'measure']);
  const { tenant } = useTenant();
  const client = useQueryClient();
  const reports = useReports();
  const form = useForm<Values>({
    initialValues: scheduleValues(schedule),
    validate: {
      name: (value) => (value.trim() ? null : t('common:form.required')),
      cron: (value, { on_event, after_readout }) =>
        (value.trim() === '' && (eventsOf(on_event).length > 0 || after_readout)) ||
        !('fault' in readCron(value))
          ? null
          : t('schedule.cronFault'),
      location: (value) => {
        if (value === '') return null;
        const kind = guessKind(value);
        return kind && !locationFault(kind, value) ? null : t('measure:exports.locationFault');
      },
      days: (value, { open }) =>
        open === 'open' || (Number(value) >= 1 && Number(value) <= 180)
          ? null
          : t('schedule.daysFault'),
      second_target: (value, { target }) =>
        value && value === target ? t('schedule.sameTarget') : null,
    },
    onValuesChange: () => changed?.(),
  });
  const { values } = form;
  const choices = (none: string) => [
    { value: '', label: none },
    ...targets.map(({ id, name }) => ({ value: String(id), label: name })),
  ];
  const news = seen && schedule ? changedFields(scheduleBody(scheduleValues(seen)), schedule) : {};
  const run = async (filled: Values) => {
    const saved = await save(scheduleBody(filled));
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'schedules') });
    notifications.show({
      message: saved.next_run_at
        ? t('schedule.savedNext', { time: formatTime(saved.next_run_at, i18n.language) })
        : t('common:saved'),
      closeButtonProps: { 'aria-label': t('common:close') },
    });
  };
  return (
    <FormDialog opened close={close} title={title} action={action} form={form} run={run} size="lg">
      <TextInput
        label={t('schedule.name')}
        required
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <CronInput
        value={values.cron}
        onChange={(value) => form.setFieldValue('cron', value)}
        error={form.errors.cron}
        local={values.time_zone !== 'UTC'}
      />
      <NativeSelect
        label={t('schedule.zone')}
        data={ZONES.map((value) => ({
          value,
          label: t(`zone.${value === 'UTC' ? 'utc' : 'local'}`),
        }))}
        {...form.getInputProps('time_zone')}
      />
      <NativeSelect
        label={t('schedule.pid')}
        data={[
          ...PIDS.map((value) => ({ value, label: `${value} · ${t(`measure:pid.${value}`)}` })),
          ...reports.list.map(({ id, name }) => ({
            value: `${REPORT}${id}`,
            label: t('schedule.report', { name }),
          })),
        ]}
        {...form.getInputProps('what')}
      />
      <DocumentSelect
        pid={values.what}
        value={values.document}
        onChange={(value) => form.setFieldValue('document', value)}
      />
      <TextInput
        label={t('measure:exports.location')}
        description={t('measure:exports.locationHint')}
        classNames={{ input: 'mono' }}
        maxLength={33}
        {...form.getInputProps('location')}
        onChange={(event) =>
          form.setFieldValue('location', event.currentTarget.value.trim().toUpperCase())
        }
      />
      <Stack gap={6}>
        <Text size="sm" fw={500} id="schedule-days">
          {t('schedule.days')}
        </Text>
        <SegmentedControl
          aria-labelledby="schedule-days"
          data={[
            { value: 'open', label: t('schedule.daysOpen') },
            { value: 'days', label: t('schedule.daysFixed') },
          ]}
          {...form.getInputProps('open')}
        />
        {values.open === 'days' ? (
          <NumberInput
            label={t('schedule.daysCount')}
            min={1}
            max={180}
            allowDecimal={false}
            {...form.getInputProps('days')}
          />
        ) : (
          <Text size="xs" c="var(--emt-dimmed)">
            {t('schedule.daysOpenText')}
          </Text>
        )}
      </Stack>
      <Group grow align="start">
        <NativeSelect
          label={t('schedule.target')}
          description={t('schedule.targetHint')}
          data={choices(t('schedule.noTarget'))}
          {...form.getInputProps('target')}
        />
        <NativeSelect
          label={t('schedule.secondTarget')}
          description={t('schedule.secondTargetHint')}
          disabled={!values.target}
          data={choices(t('common:none'))}
          {...form.getInputProps('second_target')}
        />
      </Group>
      {isReport(values.what) && (
        <>
          <NativeSelect
            label={t('schedule.interval')}
            data={INTERVALS.map((seconds) => ({
              value: String(seconds),
              label: t(`schedule.intervals.${seconds}`),
            }))}
            {...form.getInputProps('interval_s')}
          />
          <TextInput
            label={t('schedule.recipient')}
            description={t('schedule.recipientHint')}
            maxLength={100}
            autoComplete="off"
            {...form.getInputProps('recipient')}
          />
          <Textarea
            label={t('schedule.mailTo')}
            description={t('schedule.mailToHint')}
            autosize
            minRows={1}
            {...form.getInputProps('mail_to')}
          />
          <Checkbox
            label={t('schedule.untilNow')}
            description={t('schedule.untilNowHint')}
            {...form.getInputProps('until_now', { type: 'checkbox' })}
          />
        </>
      )}
      <Textarea
        label={t('schedule.onEvent')}
        description={t('schedule.onEventHint')}
        classNames={{ input: 'mono' }}
        autosize
        minRows={1}
        {...form.getInputProps('on_event')}
      />
      <Checkbox
        label={t('schedule.afterReadout')}
        description={t('schedule.afterReadoutHint')}
        {...form.getInputProps('after_readout', { type: 'checkbox' })}
      />
      <Checkbox
        label={t('schedule.readFirst')}
        description={t('schedule.readFirstHint')}
        {...form.getInputProps('read_first', { type: 'checkbox' })}
      />
      {values.read_first && (
        <NumberInput
          label={t('schedule.deadline')}
          min={10}
          max={86400}
          allowDecimal={false}
          {...form.getInputProps('deadline_s')}
        />
      )}
      <Checkbox
        label={t('measure:exports.holdGaps')}
        description={t('measure:exports.holdGapsHint')}
        {...form.getInputProps('hold_gaps', { type: 'checkbox' })}
      />
      <Checkbox
        label={t('schedule.runMissed')}
        description={t('schedule.runMissedHint')}
        {...form.getInputProps('run_missed', { type: 'checkbox' })}
      />
      <Checkbox
        label={t('measure:exports.test')}
        description={t('measure:exports.testHint')}
        {...form.getInputProps('test', { type: 'checkbox' })}
      />
      {Object.keys(news).length > 0 && (
        <Alert color="orange" title={t('news')}>
          {Object.entries(news)
            .map(([field, value]) => `${t(`field.${field}`)}: ${String(value ?? '–')}`)
            .join(', ')}
        </Alert>
      )}
    </FormDialog>
  );
}
