import { Button, Group, Modal, Stack } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { asApiError } from '@/api/problem';
import { ProblemAlert } from './ProblemAlert';

interface Props<V extends Record<string, unknown>> {
  opened: boolean;
  close: () => void;
  title: string;
  /** the deed's verb */
  action: string;
  form: UseFormReturnType<V>;
  run: (values: V) => Promise<unknown>;
  size?: string;
  children: ReactNode;
}

/** A form in a dialog: closes when it worked, else says at the field or above the buttons why not. */
export function FormDialog<V extends Record<string, unknown>>({
  opened,
  close,
  title,
  action,
  form,
  run,
  size,
  children,
}: Props<V>) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const leave = () => {
    setError(null);
    close();
  };
  const submit = form.onSubmit(async (values) => {
    setBusy(true);
    setError(null);
    try {
      await run(values);
      leave();
    } catch (failure) {
      const { problem } = asApiError(failure);
      if (problem?.field && problem.field in values) {
        form.setFieldError(problem.field, problem.detail ?? problem.title);
      } else setError(failure);
    } finally {
      setBusy(false);
    }
  });
  return (
    <Modal
      opened={opened}
      onClose={leave}
      title={title}
      size={size}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      <form onSubmit={submit} noValidate>
        <Stack>
          {children}
          <ProblemAlert error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={leave}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={busy}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
