import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import { DeliveryTone } from './DeliveryTone';
import { SendAgain, SendOnceMore, SendTo } from './Send';
import { byFile, gravest, mayRepeat, type Delivery } from './states';
import { useFileDeliveries, useRecentDeliveries } from './useDeliveries';

/** What became of a file at its targets, in a row of a list. */
export function FileState({ file }: { file: { id: number; created_at: string } }) {
  const { t } = useTranslation('delivery');
  const { data } = useRecentDeliveries();
  if (!data) return null;
  const { of, complete } = byFile(data);
  const deliveries = of(file.id);
  const state = gravest(deliveries);
  if (!state) return complete(file.created_at) ? '–' : t('file.inDetail');
  return (
    <Group gap={6} wrap="nowrap" title={deliveries.map(summary).join('\n')}>
      <DeliveryTone state={state} />
      {deliveries.length > 1 && <span>({deliveries.length})</span>}
    </Group>
  );
  function summary(one: Delivery): string {
    return `${one.target_name}: ${t(`state.${one.state}`)}`;
  }
}

interface FileFacts {
  id: number;
  file_name: string;
  receiver: string;
  kind: string;
  state: string;
}

/** The partner has said nothing to it: it may go there once more as it is. */
const unanswered = ({ kind, state }: FileFacts) =>
  state === 'overdue' || (kind === 'mscons' && state === 'delivered');

/** Each target of a file: its state, tries, what the server said, and what can be done now. */
export function FileDeliveries({ file }: { file: FileFacts }) {
  const { t } = useTranslation('delivery');
  const { may } = useTenant();
  const { data, error, refetch } = useFileDeliveries(file.id);
  const [again, setAgain] = useState<Delivery | null>(null);
  const [onceMore, setOnceMore] = useState<Delivery | null>(null);
  const [sending, setSending] = useState(false);
  const rows = data?.items ?? [];
  return (
    <Stack gap="xs" component="section" aria-label={t('deliveries.title')}>
      <Group justify="space-between">
        <Title order={3} size="sm">
          {t('deliveries.title')}
        </Title>
        {may('createDelivery') && (
          <Button size="compact-xs" variant="default" onClick={() => setSending(true)}>
            {t('send.to')}
          </Button>
        )}
      </Group>
      <ProblemAlert error={error} retry={() => void refetch()} />
      {data && rows.length === 0 && (
        <Text size="sm" c="var(--emt-dimmed)">
          {t('file.none')}
        </Text>
      )}
      {rows.map((one) => (
        <Group key={one.id} justify="space-between" align="start" wrap="nowrap">
          <Stack gap={0} miw={0}>
            <Group gap="sm">
              <Text size="sm" fw={600} className="break">
                {one.target_name}
              </Text>
              <Text size="sm" component="span">
                <DeliveryTone state={one.state} />
              </Text>
              <Text size="xs" c="var(--emt-dimmed)">
                {t('delivery.triesCount', { count: one.tries })}
                {one.tried_at && ' · '}
                {one.tried_at && <Time at={one.tried_at} seconds />}
              </Text>
            </Group>
            {one.detail && (
              <Text size="sm" className="break">
                {one.detail}
              </Text>
            )}
          </Stack>
          {may('createDelivery') && mayRepeat(one) && (
            <Button
              size="compact-xs"
              variant="default"
              style={{ flexShrink: 0 }}
              onClick={() => setAgain(one)}
              aria-label={t('send.againOf', { file: one.file_name, target: one.target_name })}
            >
              {t('send.again')}
            </Button>
          )}
          {may('createDelivery') && one.state === 'delivered' && unanswered(file) && (
            <Button
              size="compact-xs"
              variant="default"
              style={{ flexShrink: 0 }}
              onClick={() => setOnceMore(one)}
              aria-label={t('send.onceMoreOf', { target: one.target_name })}
            >
              {t('send.onceMore')}
            </Button>
          )}
        </Group>
      ))}
      {sending && <SendTo file={file} deliveries={rows} close={() => setSending(false)} />}
      <SendAgain delivery={again} close={() => setAgain(null)} />
      <SendOnceMore delivery={onceMore} close={() => setOnceMore(null)} />
    </Stack>
  );
}
