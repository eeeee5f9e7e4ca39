import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { AuditView } from '@/components/AuditView';

export default function PlatformAuditPage() {
  const { t } = useTranslation('shell');
  return (
    <AuditView
      queryKey={['platform', 'audit']}
      title={t('audit.platformTitle')}
      text={t('audit.platformText')}
      fetchPage={(query) => call(api.GET('/api/v1/audit', { params: { query } }))}
      verify={() => call(api.GET('/api/v1/audit/verification'))}
    />
  );
}
