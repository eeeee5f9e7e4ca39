import { Anchor, Button, NativeSelect, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { FormDialog } from '@/components/FormDialog';
import { fileName, saveBlob } from '@/components/measure/download';
import { Tone } from '@/components/measure/Tone';
import { Panel } from '@/components/Panel';
import { RowMenu, type RowAction } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';
import { EndTone } from './EndTone';

type Authority = Schemas['AuthorityPage']['items'][number];
type KeyKind = NonNullable<Schemas['AuthorityNew']['key_kind']>;

const KEY_KINDS: readonly KeyKind[] = ['P-256', 'P-384', 'brainpoolP256r1', 'brainpoolP384r1'];

/** The tenant's own CAs: the newest one issues, those before stay good until they are revoked. */
export function Authorities() {
  const { t } = useTranslation('certificates');
  const { tenant, may } = useTenant();
  const [making, setMaking] = useState(false);
  const [doomed, setDoomed] = useState<Authority | null>(null);
  const now = useNow(60_000);
  const key = tenantKey(tenant, 'authorities');
  const list = useCursorList(key, () =>
    call(api.GET('/api/v1/tenants/{tenant}/authorities', { params: { path: { tenant } } })),
  );
  const newest = list.rows[0]?.generation;
  const revoke = useAction(
    (generation: number) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/authorities/{generation}/revoke', {
          params: { path: { tenant, generation } },
        }),
      ),
    { changes: [key, tenantKey(tenant, 'gateway-certificates')] },
  );
  const columns: Column<Authority>[] = [
    {
      key: 'generation',
      title: t('authorities.generation'),
      width: '110px',
      cell: ({ generation }) => generation,
    },
    {
      key: 'state',
      title: t('state'),
      width: 'minmax(150px, 1.2fr)',
      cell: ({ generation, revoked_at }) =>
        revoked_at ? (
          <Tone tone="bad">{t('states.revoked')}</Tone>
        ) : generation === newest ? (
          <Tone tone="good">{t('authorities.issues')}</Tone>
        ) : (
          <Tone tone="calm">{t('authorities.stands')}</Tone>
        ),
    },
    {
      key: 'ends',
      title: t('ends.title'),
      width: '160px',
      cell: ({ not_after, revoked_at }) =>
        revoked_at ? <Time at={not_after} /> : <EndTone from={null} until={not_after} />,
    },
    {
      key: 'made',
      title: t('authorities.made'),
      width: '140px',
      cell: ({ created_at }) => <Time at={created_at} />,
    },
    {
      key: 'list',
      title: t('crl.title'),
      width: 'minmax(200px, 1.6fr)',
      cell: (row) => <OwnList authority={row} now={now} />,
    },
    {
      key: 'menu',
      title: '',
      width: '32px',
      cell: (row) => {
        const actions: RowAction[] = [
          {
            label: t('download'),
            run: () => savePem(row.certificate, fileName(tenant, 'ca', String(row.generation))),
          },
        ];
        if (may('revokeAuthority') && !row.revoked_at && row.generation !== newest)
          actions.push({
            label: t('authorities.revoke'),
            danger: true,
            run: () => setDoomed(row),
          });
        return (
          <RowMenu
            label={t('authorities.actionsOf', { generation: row.generation })}
            actions={actions}
          />
        );
      },
    },
  ];
  return (
    <Panel
      title={t('authorities.title')}
      actions={
        may('createAuthority') && (
          <Button variant="default" onClick={() => setMaking(true)}>
            {t('authorities.new')}
          </Button>
        )
      }
    >
      <DataTable
        label={t('authorities.title')}
        columns={columns}
        list={list}
        rowKey={({ generation }) => generation}
        height="240px"
        minWidth={860}
        empty={<Text size="sm">{t('authorities.none')}</Text>}
      />
      {making && <NewAuthority close={() => setMaking(false)} />}
      {doomed && (
        <Confirm
          opened
          close={() => setDoomed(null)}
          title={t('authorities.revokeTitle', { generation: doomed.generation })}
          text={t('authorities.revokeText')}
          action={t('authorities.revoke')}
          run={() => revoke.mutateAsync(doomed.generation)}
        />
      )}
    </Panel>
  );
}

export function savePem(pem: string, name: string): void {
  saveBlob(new Blob([pem], { type: 'application/x-pem-file' }), `${name}.pem`);
}

/** The list that everybody can fetch. */
function OwnList({ authority, now }: { authority: Authority; now: number }) {
  const { t } = useTranslation('certificates');
  const { fingerprint, crl_number, crl_next_update, crl_entries } = authority;
  if (!fingerprint || crl_number === null) return <Tone tone="wait">{t('crl.states.making')}</Tone>;
  const stale = crl_next_update !== null && new Date(crl_next_update).getTime() <= now;
  return (
    <>
      {stale && <Tone tone="bad">{t('crl.states.stale')}</Tone>}{' '}
      <Anchor href={`/api/v1/crls/${fingerprint}.crl`} download size="sm" underline="always">
        {t('crl.own', { number: crl_number })}
      </Anchor>
      {` · ${t('crl.entries', { count: crl_entries ?? 0 })}`}
    </>
  );
}

function NewAuthority({ close }: { close: () => void }) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const form = useForm<{ key_kind: KeyKind }>({ initialValues: { key_kind: 'P-256' } });
  const make = useAction(
    (body: Schemas['AuthorityNew']) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/authorities', {
          params: { path: { tenant }, header: { 'Idempotency-Key': idempotencyKey } },
          body,
        }),
      ),
    { changes: [tenantKey(tenant, 'authorities')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('authorities.new')}
      action={t('authorities.make')}
      form={form}
      run={(values) => make.mutateAsync(values)}
    >
      <Text size="sm">{t('authorities.newText')}</Text>
      <NativeSelect
        label={t('authorities.keyKind')}
        description={t('authorities.keyKindText')}
        data={[...KEY_KINDS]}
        data-autofocus
        {...form.getInputProps('key_kind')}
      />
    </FormDialog>
  );
}
