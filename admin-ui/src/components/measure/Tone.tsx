import { Group, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';

export type ToneName = 'good' | 'bad' | 'wait' | 'calm';

const COLORS: Record<ToneName, string> = {
  good: 'var(--emt-good)',
  bad: 'var(--emt-bad)',
  wait: 'var(--emt-wait)',
  calm: 'var(--emt-dimmed)',
};
// A shape beside the colour: told apart without seeing colours, too.
const SIGNS: Record<ToneName, string> = { good: '●', bad: '▲', wait: '◆', calm: '○' };

export function Tone({ tone, children }: { tone: ToneName; children: string }) {
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex" miw={0}>
      <Text span inherit c={COLORS[tone]} aria-hidden>
        {SIGNS[tone]}
      </Text>
      <Text span inherit c={COLORS[tone]} truncate>
        {children}
      </Text>
    </Group>
  );
}

export type FrameState = Schemas['FrameState'];

export const FRAME_STATES: readonly FrameState[] = [
  'ok',
  'key-needed',
  'key-wrong',
  'mac-wrong',
  'replayed',
  'duplicate',
  'plaintext-refused',
  'format-needed',
  'unsupported',
  'malformed',
  'codec-failed',
  'quarantined',
];

const FRAME_TONES: Record<FrameState, ToneName> = {
  ok: 'good',
  duplicate: 'calm',
  unsupported: 'calm',
  'key-needed': 'wait',
  'format-needed': 'wait',
  'key-wrong': 'bad',
  'mac-wrong': 'bad',
  replayed: 'bad',
  'plaintext-refused': 'bad',
  malformed: 'bad',
  'codec-failed': 'bad',
  quarantined: 'bad',
};

/** What a new key or another attempt can change. */
export const WAITS_FOR_KEY: readonly FrameState[] = ['key-needed', 'key-wrong', 'mac-wrong'];

export function FrameStateTone({ state }: { state: FrameState }) {
  const { t } = useTranslation('measure');
  return <Tone tone={FRAME_TONES[state] ?? 'calm'}>{t(`frameState.${state}`, state)}</Tone>;
}

export type JobState = Schemas['JobState'];
export const JOB_STATES: readonly JobState[] = [
  'waiting',
  'running',
  'done',
  'failed',
  'cancelled',
];

const JOB_TONES: Record<JobState, ToneName> = {
  waiting: 'wait',
  running: 'wait',
  done: 'good',
  failed: 'bad',
  cancelled: 'calm',
};

export function JobStateTone({ state }: { state: JobState }) {
  const { t } = useTranslation('measure');
  return <Tone tone={JOB_TONES[state] ?? 'calm'}>{t(`jobState.${state}`)}</Tone>;
}

export type Severity = Schemas['Event']['severity'];
export const SEVERITIES: readonly Severity[] = ['alarm', 'warning', 'information'];

const SEVERITY_TONES: Record<Severity, ToneName> = {
  alarm: 'bad',
  warning: 'wait',
  information: 'calm',
};

export function SeverityTone({ severity }: { severity: Severity }) {
  const { t } = useTranslation('measure');
  return <Tone tone={SEVERITY_TONES[severity] ?? 'calm'}>{t(`severity.${severity}`)}</Tone>;
}

export type QualityName = Schemas['Quality'];

const QUALITY_TONES: Record<QualityName, ToneName> = {
  measured: 'calm',
  substitute: 'wait',
  estimated: 'wait',
  provisional: 'wait',
  invalid: 'bad',
  corrected: 'good',
};

export function QualityTone({ quality }: { quality: QualityName }) {
  const { t } = useTranslation('measure');
  if (quality === 'measured')
    return (
      <Text span inherit>
        {t('quality.measured')}
      </Text>
    );
  return <Tone tone={QUALITY_TONES[quality] ?? 'calm'}>{t(`quality.${quality}`, quality)}</Tone>;
}
