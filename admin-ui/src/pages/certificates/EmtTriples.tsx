import { Button, FileInput, SimpleGrid, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { FormDialog } from '@/components/FormDialog';
import { fileName } from '@/components/measure/download';
import { Panel } from '@/components/Panel';
import { RowMenu, type RowAction } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';
import { savePem } from './Authorities';
import { EndTone } from './EndTone';
import { LARGEST_CERTIFICATE, pemOf } from './pem';
import { tripleState, USES, type EmtUse, type Triple } from './triples';

/** Certificates of the tenant as market participant: the youngest valid one of each use counts. */
export function EmtTriples() {
  const { t } = useTranslation(['certificates', 'common']);
  const { tenant, may } = useTenant();
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Triple | null>(null);
  const now = useNow(60_000);
  const key = tenantKey(tenant, 'emt-certificates');
  const list = useCursorList(key, () =>
    call(api.GET('/api/v1/tenants/{tenant}/emt-certificates', { params: { path: { tenant } } })),
  );
  const forget = useAction(
    (triple_id: number) =>
      call(
        api.DELETE('/api/v1/tenants/{tenant}/emt-certificates/{triple_id}', {
          params: { path: { tenant, triple_id } },
        }),
      ),
    { changes: [key] },
  );
  const columns: Column<Triple>[] = [
    {
      key: 'name',
      title: t('name'),
      width: 'minmax(120px, 1fr)',
      cell: ({ name }) => name,
    },
    ...USES.map((use): Column<Triple> => ({
      key: use,
      title: use.toUpperCase(),
      width: 'minmax(170px, 1.2fr)',
      cell: (triple) => (
        <span title={`${triple[use].subject} ${triple[use].serial}`}>
          {t(`triples.states.${tripleState(triple[use], now)}`)}
          {' · '}
          <EndTone from={triple[use].not_before} until={triple[use].not_after} />
        </span>
      ),
    })),
    {
      key: 'made',
      title: t('triples.made'),
      width: '140px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
    {
      key: 'menu',
      title: '',
      width: '32px',
      cell: (triple) => {
        const actions: RowAction[] = USES.map((use) => ({
          label: t('triples.download', { use: use.toUpperCase() }),
          run: () => savePem(triple[use].certificate, fileName(tenant, triple.name, use)),
        }));
        if (may('deleteEmtCertificates'))
          actions.push({
            label: t('common:delete'),
            danger: true,
            run: () => setDoomed(triple),
          });
        return <RowMenu label={t('triples.actionsOf', { name: triple.name })} actions={actions} />;
      },
    },
  ];
  return (
    <Panel
      title={t('triples.title')}
      actions={
        may('createEmtCertificates') && (
          <Button variant="default" onClick={() => setAdding(true)}>
            {t('triples.new')}
          </Button>
        )
      }
    >
      <DataTable
        label={t('triples.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        height="240px"
        minWidth={960}
        empty={<Text size="sm">{t('triples.none')}</Text>}
      />
      {adding && <NewTriple close={() => setAdding(false)} />}
      {doomed && (
        <Confirm
          opened
          close={() => setDoomed(null)}
          title={t('triples.deleteTitle', { name: doomed.name })}
          text={t(doomed.sig.current ? 'triples.deleteCurrent' : 'triples.deleteText')}
          action={t('common:delete')}
          run={() => forget.mutateAsync(doomed.id)}
        />
      )}
    </Panel>
  );
}

type Part = EmtUse | `${EmtUse}_key`;
type Values = { name: string } & Record<Part, File | null>;

async function bodyOf(values: Values): Promise<Schemas['EmtTripleNew']> {
  const text = async (part: Part) => {
    const file = values[part];
    return file ? pemOf(file, part.endsWith('_key') ? 'PRIVATE KEY' : 'CERTIFICATE') : '';
  };
  return {
    name: values.name.trim(),
    sig: await text('sig'),
    sig_key: await text('sig_key'),
    enc: await text('enc'),
    enc_key: await text('enc_key'),
    tls: await text('tls'),
    tls_key: await text('tls_key'),
  };
}

function NewTriple({ close }: { close: () => void }) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  const check = (file: File | null) =>
    !file ? t('needed') : file.size > LARGEST_CERTIFICATE ? t('tooLarge') : null;
  const form = useForm<Values>({
    initialValues: {
      name: '',
      sig: null,
      sig_key: null,
      enc: null,
      enc_key: null,
      tls: null,
      tls_key: null,
    },
    validate: {
      name: (name) => (name.trim() ? null : t('needed')),
      sig: check,
      sig_key: check,
      enc: check,
      enc_key: check,
      tls: check,
      tls_key: check,
    },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const make = useAction(
    async (values: Values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/emt-certificates', {
          params: { path: { tenant }, header: { 'Idempotency-Key': key } },
          body: await bodyOf(values),
        }),
      ),
    { changes: [tenantKey(tenant, 'emt-certificates')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('triples.new')}
      action={t('triples.take')}
      size="lg"
      form={form}
      run={(values) => make.mutateAsync(values)}
    >
      <Text size="sm">{t('triples.newText')}</Text>
      <TextInput
        label={t('name')}
        description={t('triples.nameText')}
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      {USES.map((use) => (
        <SimpleGrid key={use} cols={{ base: 1, sm: 2 }}>
          <FileInput
            label={t('triples.certificateOf', { use: use.toUpperCase() })}
            placeholder={t('chooseFile')}
            {...form.getInputProps(use)}
          />
          <FileInput
            label={t('triples.keyOf', { use: use.toUpperCase() })}
            placeholder={t('chooseFile')}
            {...form.getInputProps(`${use}_key`)}
          />
        </SimpleGrid>
      ))}
      <Text size="xs" c="var(--emt-dimmed)">
        {t('triples.secret')}
      </Text>
    </FormDialog>
  );
}
