import { SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { isLanguage, languages, setLanguage } from '@/i18n';

export function LanguageChoice() {
  const { t, i18n } = useTranslation();
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('preference.language')}
      value={i18n.language}
      onChange={(value) => {
        if (isLanguage(value)) void setLanguage(value);
      }}
      data={languages.map((value) => ({ value, label: value === 'de' ? 'Deutsch' : 'English' }))}
    />
  );
}

export function ThemeChoice() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl
      size="xs"
      aria-label={t('preference.theme')}
      value={colorScheme}
      onChange={(value) => setColorScheme(value as typeof colorScheme)}
      data={[
        { value: 'auto', label: t('preference.auto') },
        { value: 'light', label: t('preference.light') },
        { value: 'dark', label: t('preference.dark') },
      ]}
    />
  );
}
