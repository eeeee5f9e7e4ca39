import { Anchor, Button, Group, Paper, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { useLiveJobs } from '@/components/measure/jobs';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';
import { FileDeliveries } from './FileDeliveries';
import { JobNote } from './JobNote';
import { Notes } from './Notes';
import { mayResend, SentTone, type Note } from './sent';

type File = Schemas['Export'];
type Message = Schemas['SentMessage'];

/** One exported file: its state, its messages with where their values come from, and every answer. */
export default function ExportFilePage() {
  const { t } = useTranslation(['sent', 'measure']);
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const id = Number(useParams<{ file: string }>().file);
  const [resending, setResending] = useState(false);
  const [job, setJob] = useState<number | null>(null);
  const key = tenantKey(tenant, 'exports', 'one', id);
  const { data, error, refetch } = useQuery({
    queryKey: key,
    refetchInterval: 10_000,
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/exports/{file_id}', {
          params: { path: { tenant, file_id: id } },
        }),
      ),
  });
  useLiveJobs(tenant, (one) => {
    if (one.kind === 'delivery' || one.kind === 'resend')
      void client.invalidateQueries({ queryKey: key });
  });
  const path = [{ label: t('measure:exports.title'), to: `/t/${tenant}/exports` }];
  if (error && !data)
    return (
      <>
        <PageHeader title={t('file.title')} path={path} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  if (!data) return <PageLoading />;
  return (
    <>
      <PageHeader title={data.reference} path={path} badges={<SentTone state={data.state} />}>
        {may('resendExport') && mayResend(data) && (
          <Button onClick={() => setResending(true)}>{t('file.resend')}</Button>
        )}
      </PageHeader>
      {job !== null && (
        <JobNote
          id={job}
          title={t('file.resent')}
          close={() => setJob(null)}
          onEnd={() => void client.invalidateQueries({ queryKey: tenantKey(tenant, 'exports') })}
        >
          {({ result }) => <Resent result={result as Partial<Schemas['ExportResult']> | null} />}
        </JobNote>
      )}
      <Stack gap="md">
        <FileFacts file={data} />
        <Messages file={data} />
        <Answers file={data} />
        {may('listDeliveries') && (
          <Paper withBorder p="md">
            <FileDeliveries file={data} />
          </Paper>
        )}
      </Stack>
      <Resend file={resending ? data : null} close={() => setResending(false)} ordered={setJob} />
    </>
  );
}

function FileLink({ id }: { id: number | null }) {
  const { tenant } = useTenant();
  if (id === null) return null;
  return (
    <Anchor component={Link} size="sm" to={`/t/${tenant}/exports/${id}`}>
      {id}
    </Anchor>
  );
}

function FileFacts({ file }: { file: File }) {
  const { t } = useTranslation('sent');
  return (
    <Panel title={t('file.facts')}>
      <Facts
        facts={[
          { label: t('file.name'), value: <span className="mono break">{file.file_name}</span> },
          { label: t('file.pid'), value: file.pid },
          { label: t('file.receiver'), value: <span className="mono">{file.receiver}</span> },
          { label: t('file.since'), value: <Time at={file.state_at} seconds /> },
          { label: t('file.delivered'), value: <Time at={file.delivered_at} seconds /> },
          {
            label: t('file.due'),
            value: file.due_at ? <Time at={file.due_at} /> : t('file.noDue'),
          },
          ...(file.replaces !== null
            ? [{ label: t('file.replaces'), value: <FileLink id={file.replaces} /> }]
            : []),
          ...(file.replaced_by !== null
            ? [{ label: t('file.replacedBy'), value: <FileLink id={file.replaced_by} /> }]
            : []),
        ]}
      />
      <Text size="sm" mt="sm" className="break">
        {t(`stateText.${file.state}`)} {file.state_text}
      </Text>
      {mayResend(file) && (
        <Text size="sm" mt="xs">
          {t('file.howToCorrect')}
        </Text>
      )}
    </Panel>
  );
}

function Messages({ file }: { file: File }) {
  const { t, i18n } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const list = useCursorList(
    tenantKey(tenant, 'exports', 'messages', file.id, file.state),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/exports/{file_id}/messages', {
          params: {
            path: { tenant, file_id: file.id },
            query: { limit: 100, ...(cursor ? { cursor } : {}) },
          },
        }),
      ),
  );
  const columns: Column<Message>[] = [
    { key: 'nth', title: t('messages.nth'), width: '60px', cell: ({ nth }) => nth },
    {
      key: 'location',
      title: t('messages.location'),
      width: 'minmax(290px, 2fr)',
      cell: ({ location, config_id }) =>
        location && may('getLocation') ? (
          <Anchor
            component={Link}
            size="sm"
            className="mono"
            to={`/t/${tenant}/locations/${encodeURIComponent(location)}`}
          >
            {location}
          </Anchor>
        ) : (
          <span className="mono">{location || config_id || '–'}</span>
        ),
    },
    {
      key: 'period',
      title: t('messages.period'),
      width: '290px',
      cell: ({ from, to }) => (
        <>
          <Time at={from} /> – <Time at={to} />
        </>
      ),
    },
    {
      key: 'values',
      title: t('messages.values'),
      width: '80px',
      align: 'right',
      cell: ({ values }) => formatCount(values, i18n.language),
    },
    {
      key: 'state',
      title: t('file.state'),
      width: '170px',
      cell: ({ state, cancelled_by }) =>
        cancelled_by !== null ? t('messages.cancelled') : <SentTone state={state} />,
    },
    {
      key: 'why',
      title: t('file.why'),
      width: 'minmax(160px, 1.5fr)',
      cell: ({ state_text }) => <span title={state_text || undefined}>{state_text || '–'}</span>,
    },
    {
      key: 'channels',
      title: t('messages.channels'),
      width: 'minmax(120px, 1fr)',
      cell: ({ channels, to }) => (
        <Group gap={6} wrap="nowrap">
          {[...new Set(channels)].map((channel) =>
            may('traceValue') ? (
              <Anchor
                key={channel}
                component={Link}
                size="sm"
                to={`/t/${tenant}/channels/${channel}/trace?at=${encodeURIComponent(to)}`}
              >
                {t('messages.channel', { id: channel })}
              </Anchor>
            ) : (
              <span key={channel}>{t('messages.channel', { id: channel })}</span>
            ),
          )}
        </Group>
      ),
    },
  ];
  return (
    <Panel title={t('messages.title')}>
      <DataTable
        label={t('messages.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        height="360px"
        minWidth={1250}
        empty={<EmptyState title={t('messages.empty')} text={t('messages.emptyText')} />}
      />
    </Panel>
  );
}

/** Every answer about this file, line by line, in the order in which they came. */
function Answers({ file }: { file: File }) {
  const { t } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'acknowledgements', 'file', file.id, file.state),
    enabled: may('listAcknowledgements'),
    queryFn: async () => {
      const { items } = await call(
        api.GET('/api/v1/tenants/{tenant}/acknowledgements', {
          params: { path: { tenant }, query: { file: file.id, limit: 20 } },
        }),
      );
      const whole = await Promise.all(
        items.map(({ id }) =>
          call(
            api.GET('/api/v1/tenants/{tenant}/acknowledgements/{acknowledgement_id}', {
              params: { path: { tenant, acknowledgement_id: id } },
            }),
          ),
        ),
      );
      return whole.flatMap(({ notes }): Note[] => notes).filter((note) => note.file === file.id);
    },
  });
  return (
    <Panel title={t('answers.title')}>
      <ProblemAlert error={error} retry={() => void refetch()} />
      {data && data.length === 0 && (
        <Text size="sm" c="var(--emt-dimmed)">
          {t('answers.none')}
        </Text>
      )}
      {data && data.length > 0 && <Notes notes={data} />}
    </Panel>
  );
}

function Resend({
  file,
  close,
  ordered,
}: {
  file: File | null;
  close: () => void;
  ordered: (job: number) => void;
}) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  return (
    <Confirm
      opened={file !== null}
      close={close}
      title={t('file.resendTitle')}
      text={t('file.resendText')}
      action={t('file.resend')}
      danger={false}
      run={async () => {
        if (!file) return;
        const { id } = await call(
          api.POST('/api/v1/tenants/{tenant}/exports/{file_id}/resend', {
            params: { path: { tenant, file_id: file.id }, header: { 'Idempotency-Key': key } },
          }),
        );
        setKey(newIdempotencyKey());
        ordered(id);
      }}
    />
  );
}

function Resent({ result }: { result: Partial<Schemas['ExportResult']> | null }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const files = result?.files ?? [];
  return (
    <Stack gap={2}>
      {files.length === 0 && <Text size="sm">{t('file.nothing')}</Text>}
      {files.map(({ id, file_name }) => (
        <Anchor
          key={id}
          component={Link}
          size="sm"
          className="mono break"
          to={`/t/${tenant}/exports/${id}`}
        >
          {file_name}
        </Anchor>
      ))}
      {(result?.notes ?? []).slice(0, 20).map((note, index) => (
        <Text key={index} size="sm" className="break">
          {note}
        </Text>
      ))}
    </Stack>
  );
}
