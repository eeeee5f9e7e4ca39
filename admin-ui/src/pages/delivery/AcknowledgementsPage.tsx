import { Anchor, Button, Checkbox, FileInput, Group, Modal, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, callFull, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { saveBlob } from '@/components/measure/download';
import { FilterBar } from '@/components/measure/FilterBar';
import classes from '@/components/measure/measure.module.css';
import { useFilters } from '@/components/measure/useFilters';
import { useTenant } from '@/session/context';
import { Deadlines } from './Deadlines';
import { GapPolicies, PartnerLimits } from './MarketRules';
import { Notes } from './Notes';
import { VerdictTone } from './sent';

type Acknowledgement = Schemas['Acknowledgement'];
type Taken = Schemas['AcknowledgementTaken'];
const LARGEST = 1024 * 1024;

/** What partners answered to files, and taking an answer by hand. */
export default function AcknowledgementsPage() {
  const { t } = useTranslation(['sent', 'measure']);
  const { tenant, may } = useTenant();
  const [filters, change] = useFilters(['unmatched', 'shown']);
  const [uploading, setUploading] = useState(false);
  const unmatched = filters.unmatched === 'true';
  const shown = /^[1-9]\d{0,15}$/.test(filters.shown ?? '') ? Number(filters.shown) : null;
  const list = useCursorList(
    tenantKey(tenant, 'acknowledgements', 'list', { unmatched }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/acknowledgements', {
          params: {
            path: { tenant },
            query: {
              limit: 100,
              ...(cursor ? { cursor } : {}),
              ...(unmatched ? { unmatched } : {}),
            },
          },
        }),
      ),
    { refetchInterval: 30_000 },
  );
  const columns: Column<Acknowledgement>[] = [
    {
      key: 'reference',
      title: t('answer.reference'),
      width: 'minmax(150px, 1.5fr)',
      cell: ({ id, reference }) => (
        <Anchor
          component="button"
          size="sm"
          className={`mono ${classes.ellipsis}`}
          title={reference}
          onClick={() => change({ shown: String(id) })}
        >
          {reference}
        </Anchor>
      ),
    },
    {
      key: 'kind',
      title: t('answer.kind'),
      width: '100px',
      cell: ({ kind }) => t(`kind.${kind}`),
    },
    {
      key: 'sender',
      title: t('answer.sender'),
      width: '150px',
      cell: ({ sender }) => <span className="mono">{sender}</span>,
    },
    {
      key: 'verdict',
      title: t('answer.verdict'),
      width: '150px',
      cell: ({ verdict }) => <VerdictTone verdict={verdict} />,
    },
    {
      key: 'unmatched',
      title: t('answer.about'),
      width: 'minmax(130px, 1fr)',
      cell: (one) => (one.unmatched > 0 ? t('answer.unmatched') : '✓'),
    },
    {
      key: 'source',
      title: t('answer.source'),
      width: '120px',
      cell: ({ source }) => t(`source.${source}`),
    },
    {
      key: 'received',
      title: t('answer.received'),
      width: '145px',
      cell: ({ received_at }) => <Time at={received_at} />,
    },
  ];
  return (
    <>
      <PageHeader title={t('answers.title')} text={t('answers.text')}>
        {may('createAcknowledgement') && (
          <Button onClick={() => setUploading(true)}>{t('answers.upload')}</Button>
        )}
      </PageHeader>
      <FilterBar active={unmatched} clear={() => change({ unmatched: undefined })}>
        <Checkbox
          size="xs"
          mb={6}
          label={t('answers.unmatchedOnly')}
          checked={unmatched}
          onChange={(event) =>
            change({ unmatched: event.currentTarget.checked ? 'true' : undefined })
          }
        />
      </FilterBar>
      <Stack gap="md">
        <DataTable
          label={t('answers.title')}
          columns={columns}
          list={list}
          rowKey={({ id }) => id}
          height="calc(100dvh - 420px)"
          minWidth={980}
          empty={
            unmatched ? (
              <EmptyState title={t('answers.noneMatch')} text={t('answers.noneMatchText')} />
            ) : (
              <EmptyState title={t('answers.empty')} text={t('answers.emptyText')} />
            )
          }
        />
        <Deadlines />
        <GapPolicies />
        <PartnerLimits />
      </Stack>
      {uploading && (
        <Upload
          close={() => setUploading(false)}
          taken={({ id }) => change({ shown: String(id) })}
        />
      )}
      <Modal
        opened={shown !== null}
        onClose={() => change({ shown: undefined })}
        title={t('answers.details')}
        size="xl"
        closeButtonProps={{ 'aria-label': t('common:close') }}
      >
        {shown !== null && <Details id={shown} />}
      </Modal>
    </>
  );
}

function Details({ id }: { id: number }) {
  const { t } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'acknowledgements', 'one', id),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/acknowledgements/{acknowledgement_id}', {
          params: { path: { tenant, acknowledgement_id: id } },
        }),
      ),
  });
  if (error) return <ProblemAlert error={error} retry={() => void refetch()} />;
  if (!data) return <PageLoading />;
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          {
            label: t('answer.reference'),
            value: <span className="mono break">{data.reference}</span>,
          },
          { label: t('answer.kind'), value: t(`kind.${data.kind}`) },
          { label: t('answer.version'), value: data.version },
          { label: t('answer.sender'), value: <span className="mono">{data.sender}</span> },
          { label: t('answer.verdict'), value: <VerdictTone verdict={data.verdict} /> },
          { label: t('answer.received'), value: <Time at={data.received_at} seconds /> },
          { label: t('answer.source'), value: t(`source.${data.source}`) },
          { label: t('answer.by'), value: data.received_by },
          { label: t('answer.repeats'), value: String(data.repeats) },
        ]}
      />
      <Notes notes={data.notes} files />
      {may('getAcknowledgementContent') && (
        <Group justify="flex-end">
          <Download id={id} name={`${data.reference}.edi`} />
        </Group>
      )}
    </Stack>
  );
}

function Download({ id, name }: { id: number; name: string }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const [error, setError] = useState<unknown>(null);
  const go = async () => {
    setError(null);
    try {
      const { data } = await callFull(
        api.GET('/api/v1/tenants/{tenant}/acknowledgements/{acknowledgement_id}/content', {
          params: { path: { tenant, acknowledgement_id: id } },
          parseAs: 'blob',
        }),
      );
      saveBlob(data as unknown as Blob, name);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Stack gap="xs" align="end">
      <ProblemAlert error={error} retry={() => void go()} />
      <Button size="xs" variant="default" onClick={() => void go()}>
        {t('answers.download')}
      </Button>
    </Stack>
  );
}

/** The file goes up as it is: its bytes are what the partner signed for. */
function Upload({ close, taken }: { close: () => void; taken: (one: Taken) => void }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key, setKey] = useState(newIdempotencyKey);
  const form = useForm<{ file: File | null }>({
    initialValues: { file: null },
    validate: {
      file: (file) =>
        !file ? t('answers.needed') : file.size > LARGEST ? t('answers.tooLarge') : null,
    },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const run = async ({ file }: { file: File | null }) => {
    if (!file) return;
    const bytes = await file.arrayBuffer();
    const one = await call(
      api.POST('/api/v1/tenants/{tenant}/acknowledgements', {
        params: { path: { tenant }, header: { 'Idempotency-Key': key } },
        headers: { 'Content-Type': 'application/edifact' },
        body: '',
        bodySerializer: () => bytes,
      }),
    );
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'acknowledgements') });
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'exports') });
    taken(one);
  };
  return (
    <FormDialog
      opened
      close={close}
      title={t('answers.upload')}
      action={t('answers.take')}
      form={form}
      run={run}
    >
      <FileInput
        label={t('answer.kind')}
        description={t('answers.uploadHint')}
        placeholder={t('answers.choose')}
        data-autofocus
        {...form.getInputProps('file')}
      />
    </FormDialog>
  );
}
