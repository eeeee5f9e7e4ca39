import { useTranslation } from 'react-i18next';
import { Tone } from '@/components/measure/Tone';
import { formatTime } from '@/lib/time';
import type { Import } from './imports';

/** A handshake shows that the device has the key; until then a pinned certificate is a claim. */
export function SeenTone({ certificate: { seen, pinned } }: { certificate: Import }) {
  const { t, i18n } = useTranslation('certificates');
  if (!seen.first) return <Tone tone={pinned ? 'wait' : 'calm'}>{t('seen.never')}</Tone>;
  return (
    <span title={formatTime(seen.last ?? seen.first, i18n.language, 'second')}>
      <Tone tone="good">{t('seen.sessions', { count: seen.sessions })}</Tone>
    </span>
  );
}
