import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'wouter';
import { api, call } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { Tone } from '@/components/measure/Tone';
import { Panel } from '@/components/Panel';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';
import { EndTone } from './EndTone';
import { ImportForm } from './ImportForm';
import { CRL_TONES, crlState, importKind, type Import } from './imports';
import { SeenTone } from './SeenTone';

/** CAs and single certificates of others that this tenant believes. */
export function Imports() {
  const { t } = useTranslation('certificates');
  const { tenant, may } = useTenant();
  const [adding, setAdding] = useState(false);
  const [, navigate] = useLocation();
  const now = useNow(60_000);
  const list = useCursorList(tenantKey(tenant, 'certificates', 'list'), (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/certificates', {
        params: { path: { tenant }, query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    ),
  );
  const columns: Column<Import>[] = [
    {
      key: 'name',
      title: t('name'),
      width: 'minmax(140px, 1.4fr)',
      cell: ({ name, subject }) => <span title={subject}>{name}</span>,
    },
    {
      key: 'kind',
      title: t('imports.kind'),
      width: 'minmax(170px, 1.5fr)',
      cell: (row) => t(`imports.kinds.${importKind(row)}`, { gateway: row.gateway ?? '' }),
    },
    {
      key: 'ends',
      title: t('ends.title'),
      width: '150px',
      cell: ({ not_before, not_after }) => <EndTone from={not_before} until={not_after} />,
    },
    {
      key: 'list',
      title: t('crl.title'),
      width: 'minmax(130px, 1fr)',
      cell: (row) => {
        if (row.pinned) return '–';
        const state = crlState(row, now);
        return <Tone tone={CRL_TONES[state]}>{t(`crl.states.${state}`)}</Tone>;
      },
    },
    {
      key: 'seen',
      title: t('seen.title'),
      width: 'minmax(150px, 1.2fr)',
      cell: (row) => <SeenTone certificate={row} />,
    },
  ];
  return (
    <Panel
      title={t('imports.title')}
      actions={
        may('importCertificate') && (
          <Button variant="default" onClick={() => setAdding(true)}>
            {t('imports.new')}
          </Button>
        )
      }
    >
      <DataTable
        label={t('imports.title')}
        columns={columns}
        list={list}
        rowKey={({ id }) => id}
        href={({ id }) => `/t/${tenant}/certificates/${id}`}
        height="320px"
        minWidth={860}
        empty={<Text size="sm">{t('imports.none')}</Text>}
      />
      {adding && (
        <ImportForm
          close={() => setAdding(false)}
          done={({ id }) => navigate(`/t/${tenant}/certificates/${id}`)}
        />
      )}
    </Panel>
  );
}
