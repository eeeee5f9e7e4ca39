import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';
import { Tone, type ToneName } from '@/components/measure/Tone';

export type SentState = Schemas['SentState'];
export type Note = Schemas['AcknowledgementNote'];
type Verdict = Note['verdict'];

const STATE_TONES: Record<SentState, ToneName> = {
  written: 'calm',
  delivered: 'wait',
  accepted: 'good',
  rejected: 'bad',
  'application-error': 'bad',
  overdue: 'bad',
};
const VERDICT_TONES: Record<Verdict, ToneName> = {
  received: 'wait',
  accepted: 'good',
  rejected: 'bad',
};

/** What became of a file or a message, as its partner answered. */
export function SentTone({ state }: { state: SentState }) {
  const { t } = useTranslation('sent');
  return <Tone tone={STATE_TONES[state] ?? 'calm'}>{t(`state.${state}`, state)}</Tone>;
}

export function VerdictTone({ verdict }: { verdict: Verdict }) {
  const { t } = useTranslation('sent');
  return <Tone tone={VERDICT_TONES[verdict] ?? 'calm'}>{t(`verdict.${verdict}`, verdict)}</Tone>;
}

/** Sent anew only where the partner said no, and once. */
export const mayResend = ({
  state,
  replaced_by,
}: Pick<Schemas['Export'], 'state' | 'replaced_by'>): boolean =>
  (state === 'rejected' || state === 'application-error') && replaced_by === null;
