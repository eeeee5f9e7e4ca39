import { TextInput, type TextInputProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { checkMpId } from '@/lib/mpId';

/** A market partner number that says while typing whose it is. */
export function MpIdInput(props: TextInputProps) {
  const { t } = useTranslation('shell');
  const value = typeof props.value === 'string' ? props.value : '';
  const check = checkMpId(value);
  const hint = () => {
    if (check.ok) return t(`mpId.issuer.${check.issuer}`);
    if (check.reason === 'check') return t('mpId.check');
    return value ? t('mpId.soFar', { count: value.length }) : t('mpId.text');
  };
  return (
    <TextInput
      label={t('tenants.mpId')}
      description={hint()}
      inputMode="numeric"
      maxLength={13}
      autoComplete="off"
      classNames={{ input: 'mono' }}
      {...props}
    />
  );
}
