import { useTranslation } from 'react-i18next';
import { Tone } from './measure/Tone';

interface Props {
  user: { disabled_at: string | null; one_time: boolean };
}

export function UserState({ user }: Props) {
  const { t } = useTranslation('shell');
  if (user.disabled_at) return <Tone tone="bad">{t('users.disabled')}</Tone>;
  if (user.one_time) return <Tone tone="wait">{t('users.oneTime')}</Tone>;
  return <Tone tone="good">{t('users.active')}</Tone>;
}
