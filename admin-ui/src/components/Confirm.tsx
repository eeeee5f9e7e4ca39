import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from './ProblemAlert';

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  /** what will happen, and whether it can be undone */
  text: ReactNode;
  /** the deed's own verb, never just "OK" */
  action: string;
  danger?: boolean;
  /** the button stays dead until this is true: a reason is written, say */
  ready?: boolean;
  run: () => Promise<unknown>;
  children?: ReactNode;
}

/** Asks before something that cannot be taken back; stays open and explains when it fails. */
export function Confirm({
  opened,
  close,
  title,
  text,
  action,
  danger = true,
  ready = true,
  run,
  children,
}: Props) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const leave = () => {
    setError(null);
    close();
  };
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      await run();
      leave();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      opened={opened}
      onClose={leave}
      title={title}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <Stack>
        <Text size="sm" component="div">
          {text}
        </Text>
        {children}
        <ProblemAlert error={error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={leave}>
            {t('cancel')}
          </Button>
          <Button
            color={danger ? 'red' : undefined}
            loading={busy}
            disabled={!ready}
            onClick={() => void go()}
          >
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
