import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';
import { Tone, type ToneName } from '@/components/measure/Tone';
import { Ago } from '@/components/Time';

export type Gateway = Schemas['Gateway'];
export type ConnectionState = 'connected' | 'ended' | 'lost' | 'never';

export function connectionState({ connection }: Gateway): ConnectionState {
  return connection?.state ?? 'never';
}

/** When the state began: the session's start, or its end when it is over. */
export function stateSince({ connection }: Gateway): string | null {
  if (!connection) return null;
  return connection.state === 'connected'
    ? connection.since
    : (connection.ended_at ?? connection.since);
}

const TONES: Record<ConnectionState, ToneName> = {
  connected: 'good',
  lost: 'bad',
  ended: 'wait',
  never: 'calm',
};

export function ConnectionTone({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation('shell');
  const state = connectionState(gateway);
  return <Tone tone={TONES[state]}>{t(`gateways.connection.${state}`)}</Tone>;
}

export function ConnectionSince({ gateway }: { gateway: Gateway }) {
  return <Ago at={stateSince(gateway)} />;
}

const STATES: Record<Gateway['state'], ToneName> = {
  announced: 'wait',
  enrolled: 'good',
  revoked: 'bad',
};

export function GatewayState({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation('shell');
  return <Tone tone={STATES[gateway.state]}>{t(`gateways.states.${gateway.state}`)}</Tone>;
}
