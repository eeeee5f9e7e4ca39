import {
  Alert,
  Anchor,
  Button,
  Checkbox,
  Group,
  Modal,
  NativeSelect,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call, callFull, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { usePolling } from '@/api/stream';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FilterDay } from '@/components/FilterDay';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { DocumentSelect } from '@/components/measure/DocumentSelect';
import { documentFor } from '@/components/measure/documents';
import { dispositionName } from '@/components/measure/download';
import { DownloadButton } from '@/components/measure/DownloadButton';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { JobProgress } from '@/components/measure/JobProgress';
import { jobEnded, useLiveJobs, type Job } from '@/components/measure/jobs';
import { DAY, dayInstant, dayText, presetSpan } from '@/components/measure/localTime';
import { guessKind, locationFault } from '@/components/measure/marketId';
import classes from '@/components/measure/measure.module.css';
import { useFilters, type Filters } from '@/components/measure/useFilters';
import { formatBytes, formatCount } from '@/lib/decimal';
import { formatTime } from '@/lib/time';
import { FileDeliveries, FileState } from '@/pages/delivery/FileDeliveries';
import { SentTone } from '@/pages/delivery/sent';
import { useTenant } from '@/session/context';
import { RunningExports } from './RunningExports';

type Export = Schemas['Export'];
type ExportNew = Schemas['ExportNew'];
type Result = Schemas['ExportResult'];
/** The job's number, or the result where the server wrote at once. */
type Ordered = number | Result;
type Pid = ExportNew['pid'];
/** Of these a message is taken back by 13006, not sent anew over the old one. */
const CANCELLED = ['13017', '13019', '13016', '13002', '13009'] as const;
type Cancelled = (typeof CANCELLED)[number];
const PIDS: readonly Pid[] = [
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
  '13006',
];

export default function ExportsPage() {
  const { t, i18n } = useTranslation(['measure', 'delivery', 'sent']);
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [ordering, setOrdering] = useState(false);
  const [ordered, setOrdered] = useState<Ordered | null>(null);
  const [shown, setShown] = useState<Export | null>(null);
  const key = tenantKey(tenant, 'exports');
  const [filters, change] = useFilters([
    'state',
    'what',
    'receiver',
    'from',
    'to',
    'created_from',
    'created_to',
  ]);
  const query = queryOf(filters);
  const list = useCursorList(
    tenantKey(tenant, 'exports', 'list', query),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/exports', {
          params: {
            path: { tenant },
            query: { limit: 100, ...(cursor ? { cursor } : {}), ...query },
          },
        }),
      ),
    { refetchInterval: 60_000 },
  );
  const filtered = Object.keys(filters).length > 0;
  const clear = () =>
    change({
      state: undefined,
      what: undefined,
      receiver: undefined,
      from: undefined,
      to: undefined,
      created_from: undefined,
      created_to: undefined,
    });
  useLiveJobs(tenant, (job) => {
    if (jobEnded(job)) void client.invalidateQueries({ queryKey: key });
    if (job.kind === 'delivery')
      void client.invalidateQueries({ queryKey: tenantKey(tenant, 'deliveries') });
  });
  const columns: Column<Export>[] = [
    {
      key: 'file',
      title: t('export.file'),
      width: 'minmax(180px, 2.4fr)',
      cell: (file) => (
        <Anchor
          component="button"
          size="sm"
          className={`mono ${classes.ellipsis}`}
          title={file.file_name}
          onClick={() => setShown(file)}
        >
          {file.file_name}
        </Anchor>
      ),
    },
    { key: 'pid', title: t('export.pid'), width: '60px', cell: ({ pid }) => pid },
    {
      key: 'period',
      title: t('export.period'),
      width: 'minmax(110px, 1fr)',
      cell: (file) => period(file, i18n.language),
    },
    {
      key: 'receiver',
      title: t('export.receiver'),
      width: '140px',
      cell: ({ receiver }) => <span className="mono">{receiver || '–'}</span>,
    },
    {
      key: 'messages',
      title: t('export.messages'),
      width: '100px',
      align: 'right',
      cell: ({ messages }) => formatCount(messages, i18n.language),
    },
    {
      key: 'size',
      title: t('export.size'),
      width: '80px',
      align: 'right',
      cell: ({ size }) => formatBytes(size, i18n.language),
    },
    {
      key: 'notes',
      title: t('export.notes'),
      width: '90px',
      align: 'right',
      cell: ({ notes }) => (notes.length === 0 ? '–' : formatCount(notes.length, i18n.language)),
    },
    {
      key: 'delivery',
      title: t('delivery:file.column'),
      width: '150px',
      cell: (file) => <FileState file={file} />,
    },
    {
      key: 'state',
      title: t('sent:column'),
      width: '160px',
      cell: (file) => (
        <Anchor
          component={Link}
          size="sm"
          to={`/t/${tenant}/exports/${file.id}`}
          aria-label={`${t('sent:file.open')}: ${file.reference}`}
        >
          <SentTone state={file.state} />
        </Anchor>
      ),
    },
    {
      key: 'created',
      title: t('export.created'),
      width: '140px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
  ];
  if (may('getExportContent'))
    columns.push({
      key: 'download',
      title: t('action'),
      width: '120px',
      cell: (file) => <Download file={file} />,
    });
  return (
    <>
      <PageHeader title={t('exports.title')} text={t('exports.text')}>
        {may('createExport') && (
          <Button onClick={() => setOrdering(true)}>{t('exports.order')}</Button>
        )}
      </PageHeader>
      {typeof ordered === 'number' && <OrderedJob id={ordered} close={() => setOrdered(null)} />}
      {ordered !== null && typeof ordered === 'object' && (
        <Outcome result={ordered} close={() => setOrdered(null)} />
      )}
      <RunningExports />
      <FilterBar active={filtered} clear={clear}>
        <FilterSelect
          label={t('exports.state')}
          all={t('filter.all')}
          value={query.state}
          onChange={(value) => change({ state: value })}
          options={SENT_STATES.map((value) => ({ value, label: t(`sent:state.${value}`) }))}
        />
        <FilterSelect
          label={t('exports.useCase')}
          all={t('filter.all')}
          value={query.pid ?? query.kind}
          onChange={(value) => change({ what: value })}
          options={[
            ...PIDS.map((value) => ({ value, label: `${value} · ${t(`pid.${value}`)}` })),
            { value: 'report', label: t('exports.reports') },
          ]}
        />
        <FilterText
          label={t('export.receiver')}
          width={150}
          value={filters.receiver}
          onChange={(value) => change({ receiver: value })}
        />
        <FilterDay
          label={t('exports.valuesFrom')}
          value={filters.from}
          onChange={(value) => change({ from: value })}
        />
        <FilterDay
          label={t('exports.valuesTo')}
          value={filters.to}
          onChange={(value) => change({ to: value })}
        />
        <FilterDay
          label={t('exports.createdFrom')}
          value={filters.created_from}
          onChange={(value) => change({ created_from: value })}
        />
        <FilterDay
          label={t('exports.createdTo')}
          value={filters.created_to}
          onChange={(value) => change({ created_to: value })}
        />
      </FilterBar>
      <DataTable
        label={t('exports.title')}
        minWidth={1400}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        empty={
          filtered ? (
            <EmptyState title={t('filter.none')} text={t('exports.noneText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('filter.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('exports.empty')} text={t('exports.emptyText')}>
              {may('createExport') && (
                <Button size="xs" onClick={() => setOrdering(true)}>
                  {t('exports.order')}
                </Button>
              )}
            </EmptyState>
          )
        }
      />
      {ordering && <Order close={() => setOrdering(false)} ordered={setOrdered} />}
      <FileDetails file={shown} close={() => setShown(null)} />
    </>
  );
}

const SENT_STATES: readonly Schemas['SentState'][] = [
  'written',
  'delivered',
  'accepted',
  'rejected',
  'application-error',
  'overdue',
];

/** Filters of the address as the API asks: days to instants, the last day included. */
function queryOf(
  f: Filters<'state' | 'what' | 'receiver' | 'from' | 'to' | 'created_from' | 'created_to'>,
) {
  const begin = (day: string | undefined) => {
    const at = day === undefined ? undefined : dayInstant(day);
    return at === undefined ? undefined : new Date(at).toISOString();
  };
  const end = (day: string | undefined) => {
    const at = day === undefined ? undefined : dayInstant(day);
    return at === undefined ? undefined : begin(dayText(at + 1.5 * DAY));
  };
  const state = SENT_STATES.find((one) => one === f.state);
  const pid = PIDS.find((one) => one === f.what);
  const [from, to] = [begin(f.from), end(f.to)];
  const [created_from, created_to] = [begin(f.created_from), end(f.created_to)];
  return {
    ...(state ? { state } : {}),
    ...(pid ? { pid } : {}),
    ...(f.what === 'report' ? { kind: 'report' as const } : {}),
    ...(f.receiver ? { receiver: f.receiver } : {}),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    ...(created_from ? { created_from } : {}),
    ...(created_to ? { created_to } : {}),
  };
}

function period({ from, to }: { from: string; to: string }, language: string): string {
  const first = formatTime(from, language, 'day');
  const last = formatTime(new Date(Date.parse(to) - 1).toISOString(), language, 'day');
  return first === last ? first : `${first} – ${last}`;
}

function Download({ file }: { file: Export }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const load = async () => {
    const { data, response } = await callFull(
      api.GET('/api/v1/tenants/{tenant}/exports/{file_id}/content', {
        params: { path: { tenant, file_id: file.id } },
        parseAs: 'blob',
      }),
    );
    const name = dispositionName(response.headers.get('Content-Disposition'));
    return { blob: data as unknown as Blob, name: name ?? file.file_name };
  };
  return (
    <DownloadButton
      size="compact-xs"
      label={t('export.download')}
      name={t('export.downloadOf', { name: file.file_name })}
      load={load}
    />
  );
}

function FileDetails({ file, close }: { file: Export | null; close: () => void }) {
  const { t, i18n } = useTranslation('measure');
  const { may } = useTenant();
  return (
    <Modal
      opened={file !== null}
      onClose={close}
      title={t('export.details')}
      size="xl"
      closeButtonProps={{ 'aria-label': t('common:close') }}
    >
      {file && (
        <Stack gap="sm">
          <Facts
            facts={[
              {
                label: t('export.file'),
                value: <span className="mono break">{file.file_name}</span>,
              },
              { label: t('export.pid'), value: `${file.pid} ${t(`pid.${file.pid}`, '')}` },
              { label: t('export.period'), value: period(file, i18n.language) },
              { label: t('export.sender'), value: <span className="mono">{file.sender}</span> },
              { label: t('export.receiver'), value: <span className="mono">{file.receiver}</span> },
              {
                label: t('export.reference'),
                value: <span className="mono">{file.reference}</span>,
              },
              { label: t('export.messages'), value: formatCount(file.messages, i18n.language) },
              { label: t('export.size'), value: formatBytes(file.size, i18n.language) },
              { label: t('export.created'), value: <Time at={file.created_at} /> },
            ]}
          />
          <Notes notes={file.notes} />
          {may('listDeliveries') && <FileDeliveries file={file} />}
          <Group justify="flex-end" gap="xs">
            {may('getExportContent') && <Download file={file} />}
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

const NOTES_SHOWN = 200;

function Notes({ notes }: { notes: string[] }) {
  const { t } = useTranslation('measure');
  if (notes.length === 0)
    return (
      <Text size="sm" c="var(--emt-dimmed)">
        {t('export.noNotes')}
      </Text>
    );
  return (
    <Alert color="orange" title={t('export.notesTitle', { count: notes.length })}>
      <Stack gap={2} component="ul" m={0} pl="md">
        {notes.slice(0, NOTES_SHOWN).map((note, index) => (
          <li key={index}>
            <Text size="sm" className="break">
              {note}
            </Text>
          </li>
        ))}
      </Stack>
      {notes.length > NOTES_SHOWN && (
        <Text size="xs">{t('import.more', { count: notes.length - NOTES_SHOWN })}</Text>
      )}
    </Alert>
  );
}

function ResultNotes({ files = [], notes = [] }: Partial<Result>) {
  const { t } = useTranslation('measure');
  return (
    <>
      {files.length === 0 && <Text size="sm">{t('exports.nothing')}</Text>}
      {files.map(({ id, file_name }) => (
        <Text key={id} size="sm" className="mono break">
          {file_name}
        </Text>
      ))}
      {notes.length > 0 && <Notes notes={notes} />}
    </>
  );
}

function Outcome({ result, close }: { result: Result; close: () => void }) {
  const { t } = useTranslation('measure');
  return (
    <Alert
      mb="md"
      color={result.files.length > 0 ? 'teal' : 'orange'}
      title={t('exports.job.done', { count: result.files.length })}
      withCloseButton
      closeButtonLabel={t('common:close')}
      onClose={close}
      role="status"
    >
      <Stack gap={6}>
        <ResultNotes {...result} />
      </Stack>
    </Alert>
  );
}

/** The job that was just ordered, until it is put away. */
function OrderedJob({ id, close }: { id: number; close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const polling = usePolling(tenant, 2_000);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'job', id),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/jobs/{job_id}', {
          params: { path: { tenant, job_id: id } },
        }),
      ),
    // The stream tells; asked now and then all the same, for the one event that got lost.
    refetchInterval: ({ state }) => (state.data && jobEnded(state.data) ? false : polling || 5_000),
  });
  const result = data?.result as Partial<Schemas['ExportResult']> | null | undefined;
  return (
    <Alert
      mb="md"
      color={data?.state === 'failed' ? 'red' : data?.state === 'done' ? 'teal' : 'gray'}
      title={t(`exports.job.${data?.state ?? 'waiting'}`, { count: result?.files?.length ?? 0 })}
      withCloseButton
      closeButtonLabel={t('common:close')}
      onClose={close}
      role="status"
    >
      <Stack gap={6}>
        <ProblemAlert error={error} retry={() => void refetch()} />
        {data && !jobEnded(data) && <JobProgress job={data} />}
        {data?.error && <Text size="sm">{data.error}</Text>}
        {data?.state === 'done' && <ResultNotes files={result?.files} notes={result?.notes} />}
      </Stack>
    </Alert>
  );
}

function Order({ close, ordered }: { close: () => void; ordered: (order: Ordered) => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key, setKey] = useState(newIdempotencyKey);
  const [now] = useState(() => Date.now());
  const yesterday = presetSpan('day', now - DAY);
  const form = useForm({
    initialValues: {
      pid: '13018' as Pid,
      cancels: '13017' as Cancelled,
      document: '',
      from: dayText(yesterday.from),
      last: dayText(yesterday.from),
      location: '',
      test: false,
      hold_gaps: false,
      only_changes: false,
    },
    validate: {
      from: (value) => (dayInstant(value) === undefined ? t('day.fault') : null),
      last: (value, { from }) => {
        const last = dayInstant(value);
        if (last === undefined) return t('day.fault');
        return last >= (dayInstant(from) ?? 0) ? null : t('exports.lastFault');
      },
      location: (value) => {
        if (value === '') return null;
        const kind = guessKind(value);
        return kind && !locationFault(kind, value) ? null : t('exports.locationFault');
      },
    },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const month = (back: number) => {
    const at = presetSpan('month', now);
    const whole = back === 0 ? at : presetSpan('month', at.from - 1);
    form.setValues({ from: dayText(whole.from), last: dayText(whole.to - 1) });
  };
  const run = async ({
    pid,
    cancels,
    document,
    from,
    last,
    location,
    test,
    hold_gaps,
    only_changes,
  }: typeof form.values) => {
    const kind = documentFor(pid, document);
    const { data, response } = await callFull(
      api.POST('/api/v1/tenants/{tenant}/exports', {
        params: { path: { tenant }, header: { 'Idempotency-Key': key } },
        headers: { Prefer: 'respond-async' },
        body: {
          pid,
          ...(pid === '13006' ? { cancels } : {}),
          ...(kind ? { document: kind } : {}),
          from,
          // The API's end is exclusive; people name the last day.
          to: dayText((dayInstant(last) ?? 0) + 1.5 * DAY),
          test,
          hold_gaps,
          only_changes,
          ...(location ? { location } : {}),
        },
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'exports') });
    ordered(response.status === 202 ? (data as Job).id : (data as Result));
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('exports.order')}
      action={t('exports.orderAction')}
      form={form}
      run={run}
    >
      <NativeSelect
        label={t('export.pid')}
        description={t(`pid.${form.values.pid}Text`)}
        data={PIDS.map((value) => ({ value, label: `${value} · ${t(`pid.${value}`)}` }))}
        data-autofocus
        {...form.getInputProps('pid')}
      />
      {form.values.pid === '13006' && (
        <NativeSelect
          label={t('exports.cancels')}
          data={CANCELLED.map((value) => ({ value, label: `${value} · ${t(`pid.${value}`)}` }))}
          {...form.getInputProps('cancels')}
        />
      )}
      <DocumentSelect
        pid={form.values.pid}
        value={form.values.document}
        onChange={(value) => form.setFieldValue('document', value)}
      />
      <Stack gap={6}>
        <Group grow align="start">
          <TextInput
            type="date"
            label={t('exports.from')}
            required
            {...form.getInputProps('from')}
          />
          <TextInput
            type="date"
            label={t('exports.last')}
            required
            {...form.getInputProps('last')}
          />
        </Group>
        <Group gap={6}>
          <Button
            size="compact-xs"
            variant="default"
            onClick={() =>
              form.setValues({ from: dayText(yesterday.from), last: dayText(yesterday.from) })
            }
          >
            {t('exports.yesterday')}
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => month(1)}>
            {t('exports.lastMonth')}
          </Button>
          <Button size="compact-xs" variant="default" onClick={() => month(0)}>
            {t('exports.thisMonth')}
          </Button>
        </Group>
      </Stack>
      <TextInput
        label={t('exports.location')}
        description={t('exports.locationHint')}
        classNames={{ input: 'mono' }}
        maxLength={33}
        {...form.getInputProps('location')}
        onChange={(event) =>
          form.setFieldValue('location', event.currentTarget.value.trim().toUpperCase())
        }
      />
      <Checkbox
        label={t('exports.onlyChanges')}
        description={t('exports.onlyChangesHint')}
        {...form.getInputProps('only_changes', { type: 'checkbox' })}
      />
      <Checkbox
        label={t('exports.holdGaps')}
        description={t('exports.holdGapsHint')}
        {...form.getInputProps('hold_gaps', { type: 'checkbox' })}
      />
      <Checkbox
        label={t('exports.test')}
        description={t('exports.testHint')}
        {...form.getInputProps('test', { type: 'checkbox' })}
      />
    </FormDialog>
  );
}
