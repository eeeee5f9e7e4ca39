import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { DataTable, type Column } from '@/components/DataTable';
import { Tone, type ToneName } from '@/components/measure/Tone';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import { EndTone } from './EndTone';

type GatewayCertificate = Schemas['GatewayCertificate'];

const TONES: Record<GatewayCertificate['state'], ToneName> = {
  valid: 'good',
  revoked: 'bad',
  expired: 'bad',
};

interface Props {
  /** of this gateway only: also what is over */
  gateway?: string;
  /** days */
  endsWithin?: number | undefined;
  empty: string;
}

export function GatewayCertificates({ gateway, endsWithin, empty }: Props) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const key = tenantKey(tenant, 'gateway-certificates', gateway ?? '', endsWithin ?? 0);
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/gateway-certificates', {
        params: {
          path: { tenant },
          query: {
            limit: 100,
            ...(cursor ? { cursor } : {}),
            ...(gateway ? { gateway } : { state: 'valid' as const }),
            ...(endsWithin ? { ends_within: endsWithin } : {}),
          },
        },
      }),
    ),
  );
  const columns: Column<GatewayCertificate>[] = [
    {
      key: 'serial',
      title: t('serial'),
      width: 'minmax(140px, 1.4fr)',
      cell: ({ serial, fingerprint }) => (
        <span className="mono" title={`SHA-256 ${fingerprint}`}>
          {serial}
        </span>
      ),
    },
    {
      key: 'state',
      title: t('state'),
      width: '130px',
      cell: ({ state, revoke_reason }) => (
        <span title={revoke_reason ?? undefined}>
          <Tone tone={TONES[state]}>{t(`states.${state}`)}</Tone>
        </span>
      ),
    },
    {
      key: 'ends',
      title: t('ends.title'),
      width: '150px',
      cell: ({ state, not_before, not_after }) =>
        state === 'valid' ? (
          <EndTone from={not_before} until={not_after} />
        ) : (
          <Time at={not_after} />
        ),
    },
    {
      key: 'origin',
      title: t('origin.title'),
      width: '120px',
      cell: ({ import: id }) =>
        id === null ? (
          t('origin.own')
        ) : (
          <Link to={`/t/${tenant}/certificates/${id}`}>{t('origin.import')}</Link>
        ),
    },
    {
      key: 'issued',
      title: t('gateways.issued'),
      width: '140px',
      cell: ({ issued_at }) => <Time at={issued_at} />,
    },
    {
      key: 'used',
      title: t('gateways.used'),
      width: 'minmax(140px, 1fr)',
      cell: ({ first_used_at, sessions }) => (
        <>
          {first_used_at ? <Time at={first_used_at} /> : t('common:never')}
          {sessions !== null && ` · ${t('seen.sessions', { count: sessions })}`}
        </>
      ),
    },
  ];
  if (!gateway)
    columns.unshift({
      key: 'gateway',
      title: t('gateway'),
      width: 'minmax(120px, 1.2fr)',
      cell: (row) => row.gateway,
    });
  return (
    <DataTable
      label={t('gateways.title')}
      columns={columns}
      list={list}
      rowKey={({ fingerprint }) => fingerprint}
      {...(gateway
        ? {}
        : {
            href: (row: GatewayCertificate) =>
              `/t/${tenant}/gateways/${encodeURIComponent(row.gateway)}`,
          })}
      height="320px"
      minWidth={gateway ? 820 : 940}
      empty={<Text size="sm">{empty}</Text>}
    />
  );
}
