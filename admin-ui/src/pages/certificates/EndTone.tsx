import { useTranslation } from 'react-i18next';
import { Tone } from '@/components/measure/Tone';
import { formatTime } from '@/lib/time';
import { useNow } from '@/lib/useNow';
import { daysLeft, endTone } from './ends';

interface Props {
  /** null: not known, and long ago */
  from: string | null;
  until: string | null;
}

/** How long it is still good; the day itself is in the title. */
export function EndTone({ from, until }: Props) {
  const { t, i18n } = useTranslation('certificates');
  const now = useNow(60_000);
  if (!until) return <>–</>;
  const days = daysLeft(until, now);
  const over = new Date(until).getTime() <= now;
  return (
    <span title={formatTime(until, i18n.language, 'minute')}>
      <Tone tone={endTone(from, until, now)}>
        {over ? t('ends.over') : t('ends.left', { count: days })}
      </Tone>
    </span>
  );
}
