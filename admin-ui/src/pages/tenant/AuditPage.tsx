import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { AuditView } from '@/components/AuditView';
import { useTenant } from '@/session/context';

export default function AuditPage() {
  const { t } = useTranslation('shell');
  const { tenant, name } = useTenant();
  const path = { tenant };
  return (
    <AuditView
      queryKey={tenantKey(tenant, 'audit')}
      title={t('audit.title')}
      text={t('audit.tenantText', { name })}
      fetchPage={(query) =>
        call(api.GET('/api/v1/tenants/{tenant}/audit', { params: { path, query } }))
      }
      verify={() =>
        call(api.GET('/api/v1/tenants/{tenant}/audit/verification', { params: { path } }))
      }
    />
  );
}
