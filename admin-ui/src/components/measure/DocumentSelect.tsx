import { NativeSelect } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { documentFor, documentsOf } from './documents';

interface Props {
  pid: string;
  value: string;
  onChange: (value: string) => void;
}

/** Only where the use case leaves a choice. */
export function DocumentSelect({ pid, value, onChange }: Props) {
  const { t } = useTranslation('measure');
  const documents = documentsOf(pid);
  if (documents.length === 0) return null;
  return (
    <NativeSelect
      label={t('document.label')}
      description={t('document.hint')}
      data={[
        { value: '', label: t('document.usual') },
        ...documents.map((one) => ({ value: one, label: `${one} · ${t(`document.${one}`)}` })),
      ]}
      value={documentFor(pid, value) ?? ''}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
