import { Button, Group, Modal, Stack } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { OnceNotice, SecretOnce } from './SecretOnce';

export interface Issued {
  name: string;
  password: string;
}

/** A new one-time password with the name it belongs to; gone when the dialog closes. */
export function OneTimePassword({ issued, close }: { issued: Issued | null; close: () => void }) {
  const { t } = useTranslation(['shell', 'common']);
  return (
    <Modal
      opened={issued !== null}
      onClose={close}
      closeOnClickOutside={false}
      title={t('users.issuedTitle')}
      closeButtonProps={{ 'aria-label': t('common:close') }}
    >
      {issued && (
        <Stack>
          <OnceNotice />
          <SecretOnce label={t('users.name')} value={issued.name} />
          <SecretOnce
            label={t('users.oneTimePassword')}
            value={issued.password}
            text={t('users.oneTimeText')}
          />
          <Group justify="flex-end">
            <Button onClick={close}>{t('common:done')}</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
