import { Redirect } from 'wouter';
import { useTranslation } from 'react-i18next';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { useSession } from '@/session/context';
import { DataTable } from '@/components/DataTable';

/** Operators and auditors start with all tenants, others with those that they belong to. */
export default function TenantChoicePage() {
  const { t } = useTranslation(['shell', 'common']);
  const { tenants, user } = useSession();
  if (user.platform_role !== 'none') return <Redirect replace to="/operator/tenants" />;
  return (
    <>
      <PageHeader title={t('tenants.choose')} />
      <DataTable
        label={t('tenants.choose')}
        list={{
          rows: tenants,
          error: null,
          loading: false,
          loadingMore: false,
          hasMore: false,
          more: () => undefined,
          reload: () => undefined,
        }}
        rowKey={({ key }) => key}
        href={({ key }) => `/t/${key}`}
        minWidth={480}
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
            key: 'role',
            title: t('users.role'),
            width: 'minmax(140px, 1fr)',
            cell: ({ role }) => t(`common:role.${role}`),
          },
        ]}
        empty={<EmptyState title={t('tenants.noneOwn')} text={t('tenants.noneOwnText')} />}
      />
    </>
  );
}
