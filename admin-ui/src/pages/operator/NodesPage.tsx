import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Tone } from '@/components/measure/Tone';
import { Ago, Time } from '@/components/Time';
import { formatCount } from '@/lib/decimal';

export default function NodesPage() {
  const { t, i18n } = useTranslation(['shell', 'common']);
  const nodes = useQuery({
    queryKey: ['platform', 'nodes'],
    queryFn: () => call(api.GET('/api/v1/nodes')),
    refetchInterval: 10_000,
  });
  const { data: version } = useQuery({
    queryKey: ['platform', 'version'],
    queryFn: () => call(api.GET('/api/v1/version')),
    staleTime: Infinity,
  });
  return (
    <>
      <PageHeader
        title={t('nodes.title')}
        text={
          version
            ? t('nodes.version', { version: version.version, schema: version.schema })
            : undefined
        }
      >
        <Button variant="default" onClick={() => void nodes.refetch()} loading={nodes.isFetching}>
          {t('reload')}
        </Button>
      </PageHeader>
      <DataTable
        label={t('nodes.title')}
        list={{
          rows: nodes.data?.items ?? [],
          error: nodes.error,
          loading: nodes.isPending,
          loadingMore: false,
          hasMore: false,
          more: () => undefined,
          reload: () => void nodes.refetch(),
        }}
        rowKey={({ id }) => id}
        columns={[
          { key: 'id', title: t('nodes.id'), width: '60px', cell: ({ id }) => id },
          {
            key: 'name',
            title: t('nodes.name'),
            width: 'minmax(160px, 2fr)',
            cell: ({ name }) => name,
          },
          {
            key: 'alive',
            title: t('nodes.state'),
            width: '140px',
            cell: ({ alive }) => (
              <Tone tone={alive ? 'good' : 'calm'}>{t(alive ? 'nodes.alive' : 'nodes.gone')}</Tone>
            ),
          },
          {
            key: 'gateways',
            title: t('nodes.gateways'),
            width: '110px',
            align: 'right',
            cell: ({ gateways }) => formatCount(gateways, i18n.language),
          },
          {
            key: 'version',
            title: t('nodes.programVersion'),
            width: '130px',
            cell: (node) => node.version,
          },
          {
            key: 'started',
            title: t('nodes.started'),
            width: '150px',
            cell: ({ started_at }) => <Time at={started_at} />,
          },
          {
            key: 'lease',
            title: t('nodes.lease'),
            width: '150px',
            cell: ({ lease_until }) => <Ago at={lease_until} />,
          },
        ]}
        empty={<EmptyState title={t('nodes.none')} text={t('nodes.noneText')} />}
      />
    </>
  );
}
