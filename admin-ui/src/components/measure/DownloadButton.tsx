import { Button, Modal, type ButtonProps } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from '@/components/ProblemAlert';
import { saveBlob } from './download';

interface Props extends Pick<ButtonProps, 'size'> {
  label: string;
  /** where several say the same */
  name?: string;
  load: () => Promise<{ blob: Blob; name: string }>;
}

/** A file from the server to the disk; what went wrong is said in a dialog. */
export function DownloadButton({ label, name, load, size }: Props) {
  const { t } = useTranslation('measure');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      const file = await load();
      saveBlob(file.blob, file.name);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        {...(size ? { size } : {})}
        variant="default"
        loading={busy}
        onClick={() => void go()}
        {...(name ? { 'aria-label': name } : {})}
      >
        {label}
      </Button>
      <Modal
        opened={error !== null}
        onClose={() => setError(null)}
        title={t('export.downloadFailed')}
        closeButtonProps={{ 'aria-label': t('common:close') }}
      >
        <ProblemAlert error={error} retry={() => void go()} />
      </Modal>
    </>
  );
}
