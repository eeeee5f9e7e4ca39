import { TextInput, type TextInputProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { checkMpId } from '@/lib/mpId';

/** A market partner number that says while typing whose it is. */
export function MpIdInput(props: TextInputProps) {
  const { t } = useTranslation('shell');
  const value = typeof props.value === 'string' ? props.value : '';
  const check = checkMpId(value);
  const hint = check.ok
    ? t(`mpId.issuer.${check.issuer}`)
    : t('mpId.text', { count: value.length });
  return (
    <TextInput
      label={t('tenants.mpId')}
      description={value && !check.ok && check.reason === 'check' ? t('mpId.check') : hint}
      inputMode="numeric"
      maxLength={13}
      autoComplete="off"
      classNames={{ input: 'mono' }}
      {...props}
    />
  );
}
