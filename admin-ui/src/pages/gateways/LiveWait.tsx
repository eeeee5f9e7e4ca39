import { Alert, Anchor, Group, Loader, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useLive } from '@/api/stream';
import { formatDuration } from '@/lib/time';
import { useNow } from '@/lib/useNow';

interface Props {
  tenant: string;
  gateway: string;
}

const EVERY_MS = 3_000;
/** after this time the page says what to look at */
const HELP_AFTER_S = 60;

/** Says when a gateway connects, and how long that took from here; never just spins. */
export function LiveWait({ tenant, gateway }: Props) {
  const { t, i18n } = useTranslation('shell');
  const [start] = useState(() => Date.now());
  const now = useNow(1_000);
  const { data, refetch, error } = useQuery({
    queryKey: tenantKey(tenant, 'gateways', 'one', gateway),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}', {
          params: { path: { tenant, gateway } },
        }),
      ),
    refetchInterval: (query) =>
      query.state.data?.connection?.state === 'connected' ? false : EVERY_MS,
  });
  useLive(tenant, 'gateways', (event) => {
    if (event.gateway === gateway) void refetch();
  });
  const connection = data?.connection;
  const link = (
    <Anchor component={Link} to={`/t/${tenant}/gateways/${gateway}`} size="sm">
      {t('wait.toGateway')}
    </Anchor>
  );
  if (connection?.state === 'connected') {
    const took = Math.max(0, Math.round((new Date(connection.since).getTime() - start) / 1000));
    return (
      <Alert role="status" color="teal" title={t('wait.connected', { gateway })} data-live={took}>
        <Stack gap={4} align="flex-start">
          <Text size="sm">{t('wait.took', { time: formatDuration(took, i18n.language) })}</Text>
          {link}
        </Stack>
      </Alert>
    );
  }
  const waited = Math.max(0, Math.floor((now - start) / 1000));
  return (
    <Alert role="status" color="petrol" title={t('wait.waiting', { gateway })}>
      <Stack gap={4} align="flex-start">
        <Group gap="xs">
          <Loader size="xs" aria-hidden />
          <Text size="sm" aria-live="off">
            {t(data?.state === 'enrolled' ? 'wait.enrolled' : 'wait.announced')}{' '}
            {formatDuration(waited, i18n.language)}
          </Text>
        </Group>
        {error && <Text size="sm">{t('wait.asking')}</Text>}
        {waited >= HELP_AFTER_S && <Text size="sm">{t('wait.help')}</Text>}
        {link}
      </Stack>
    </Alert>
  );
}
