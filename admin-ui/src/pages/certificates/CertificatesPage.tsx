import { NativeSelect, Stack } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { useTenant } from '@/session/context';
import { Authorities } from './Authorities';
import { EmtTriples } from './EmtTriples';
import { GatewayCertificates } from './GatewayCertificates';
import { Imports } from './Imports';

const WITHIN = ['90', '30', '7', 'all'] as const;

/** Everything that ends, and what this tenant believes. */
export default function CertificatesPage() {
  const { t } = useTranslation('certificates');
  const { may } = useTenant();
  const [within, setWithin] = useState<string>('90');
  return (
    <>
      <PageHeader title={t('title')} text={t('text')} />
      <Stack>
        {may('listAuthorities') && <Authorities />}
        <Imports />
        {may('listEmtCertificates') && <EmtTriples />}
        {may('listGatewayCertificates') && (
          <Panel
            title={t('gateways.title')}
            actions={
              <NativeSelect
                aria-label={t('gateways.within')}
                value={within}
                data={WITHIN.map((value) => ({
                  value,
                  label:
                    value === 'all'
                      ? t('gateways.all')
                      : t('gateways.endsWithin', { count: Number(value) }),
                }))}
                onChange={(event) => setWithin(event.currentTarget.value)}
              />
            }
          >
            <GatewayCertificates
              endsWithin={within === 'all' ? undefined : Number(within)}
              empty={t(within === 'all' ? 'gateways.none' : 'gateways.noneEnds')}
            />
          </Panel>
        )}
      </Stack>
    </>
  );
}
