import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call } from '@/api/client';
import { useCursorList } from '@/api/query';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { useMay } from '@/session/context';

export default function TenantsPage() {
  const { t } = useTranslation(['shell', 'common']);
  const mayCreate = useMay('createTenant');
  const list = useCursorList(['platform', 'tenants'], (cursor) =>
    call(api.GET('/api/v1/tenants', { params: { query: { cursor } } })),
  );
  const wizard = mayCreate && (
    <Button component={Link} to="/operator/tenants/new">
      {t('tenants.new')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('tenants.title')} text={t('tenants.text')}>
        {wizard}
      </PageHeader>
      <DataTable
        label={t('tenants.title')}
        list={list}
        rowKey={({ key }) => key}
        href={({ key }) => `/t/${key}`}
        columns={[
          {
            key: 'name',
            title: t('tenants.name'),
            width: 'minmax(180px, 2fr)',
            cell: ({ name }) => name,
          },
          {
            key: 'key',
            title: t('tenants.key'),
            width: 'minmax(120px, 1fr)',
            cell: ({ key }) => <span className="mono">{key}</span>,
          },
          {
            key: 'mp',
            title: t('tenants.mpIdShort'),
            width: '150px',
            cell: ({ own_mp_id }) => <span className="mono">{own_mp_id ?? '–'}</span>,
          },
          {
            key: 'policy',
            title: t('tenants.policy'),
            width: 'minmax(150px, 1fr)',
            cell: ({ device_policy }) => t(`tenants.policies.${device_policy}`),
          },
          {
            key: 'created',
            title: t('tenants.created'),
            width: '150px',
            cell: ({ created_at }) => <Time at={created_at} />,
          },
        ]}
        empty={
          <EmptyState title={t('tenants.none')} text={t('tenants.noneText')}>
            {wizard}
          </EmptyState>
        }
      />
    </>
  );
}
