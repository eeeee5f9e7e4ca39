import { useTranslation } from 'react-i18next';
import { Tone } from '@/components/measure/Tone';
import { STATE_TONES, type DeliveryState } from './states';

export function DeliveryTone({ state }: { state: DeliveryState }) {
  const { t } = useTranslation('delivery');
  return <Tone tone={STATE_TONES[state] ?? 'calm'}>{t(`state.${state}`, state)}</Tone>;
}
