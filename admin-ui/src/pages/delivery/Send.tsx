import { Alert, NativeSelect, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { useTenant } from '@/session/context';
import { mayRepeat, type Delivery } from './states';
import { useTargets } from './useTargets';

function useSend() {
  const { tenant } = useTenant();
  const client = useQueryClient();
  const [key, setKey] = useState(newIdempotencyKey);
  return async (file: number, target: number, again = false) => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/exports/{file_id}/deliveries', {
        params: { path: { tenant, file_id: file }, header: { 'Idempotency-Key': key } },
        body: { target, ...(again ? { again } : {}) },
      }),
    );
    // The same file to the same target is another act from here on.
    setKey(newIdempotencyKey());
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'deliveries') });
  };
}

/** Once more where it failed; where nobody knows, what that may lead to is said first. */
export function SendAgain({ delivery, close }: { delivery: Delivery | null; close: () => void }) {
  const { t } = useTranslation('delivery');
  const send = useSend();
  const unknown = delivery?.state === 'unknown';
  return (
    <Confirm
      opened={delivery !== null}
      close={close}
      title={t('send.againTitle', { target: delivery?.target_name })}
      text={
        <Text size="sm" className="break">
          {t('send.againText', { file: delivery?.file_name, target: delivery?.target_name })}
        </Text>
      }
      action={t(unknown ? 'send.againAnyway' : 'send.again')}
      danger={unknown}
      run={async () => {
        if (delivery) await send(delivery.file, delivery.target);
      }}
    >
      {unknown && (
        <Alert color="orange" title={t('send.unknownTitle')}>
          {t('send.unknownText')}
        </Alert>
      )}
    </Confirm>
  );
}

/** What arrived, but was not answered: the same file, with the same number. */
export function SendOnceMore({
  delivery,
  close,
}: {
  delivery: Delivery | null;
  close: () => void;
}) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const send = useSend();
  return (
    <Confirm
      opened={delivery !== null}
      close={close}
      title={t('send.onceMoreTitle', { target: delivery?.target_name })}
      text={t('send.onceMoreText')}
      action={t('send.onceMore')}
      danger={false}
      run={async () => {
        if (!delivery) return;
        await send(delivery.file, delivery.target, true);
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'exports') });
      }}
    />
  );
}

interface FileFacts {
  id: number;
  file_name: string;
  receiver: string;
}

/** A file to one of the targets; one that has it, or is getting it, is not offered. */
export function SendTo({
  file,
  deliveries,
  close,
}: {
  file: FileFacts;
  deliveries: readonly Delivery[];
  close: () => void;
}) {
  const { t } = useTranslation('delivery');
  const targets = useTargets();
  const send = useSend();
  const [chosen, setChosen] = useState('');
  const done = (id: number) => deliveries.find(({ target }) => target === id);
  const offered = targets.list.filter(({ id, partner }) => {
    if (partner !== '' && partner !== file.receiver) return false;
    const before = done(id);
    return !before || mayRepeat(before);
  });
  const before = chosen ? done(Number(chosen)) : undefined;
  return (
    <Confirm
      opened
      close={close}
      title={t('send.toTitle')}
      text={<span className="break">{file.file_name}</span>}
      action={t(before?.state === 'unknown' ? 'send.againAnyway' : 'send.action')}
      danger={before?.state === 'unknown'}
      ready={chosen !== ''}
      run={() => send(file.id, Number(chosen))}
    >
      {offered.length === 0 ? (
        <Text size="sm">{t(targets.list.length === 0 ? 'send.noTargets' : 'send.allHaveIt')}</Text>
      ) : (
        <NativeSelect
          label={t('send.target')}
          value={chosen}
          onChange={(event) => setChosen(event.currentTarget.value)}
          data={[
            { value: '', label: t('send.choose') },
            ...offered.map(({ id, name }) => ({ value: String(id), label: name })),
          ]}
        />
      )}
      {before?.state === 'unknown' && (
        <Alert color="orange" title={t('send.unknownTitle')}>
          {t('send.unknownText')}
        </Alert>
      )}
    </Confirm>
  );
}
