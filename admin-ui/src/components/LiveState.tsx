import { Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { useLiveState } from '@/api/stream';
import { Tone, type ToneName } from './measure/Tone';

const TONES: Record<string, ToneName> = { live: 'good', connecting: 'calm', polling: 'wait' };

/** Whether what is seen follows by itself. */
export function LiveState({ tenant }: { tenant: string }) {
  const { t } = useTranslation();
  const state = useLiveState(tenant);
  return (
    <Tooltip label={t(`live.${state}Text`)} multiline maw={280}>
      <span>
        <Tone tone={TONES[state] ?? 'calm'}>{t(`live.${state}`)}</Tone>
      </span>
    </Tooltip>
  );
}
