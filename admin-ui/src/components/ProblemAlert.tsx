import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { asApiError } from '@/api/problem';

interface Props {
  /** null or undefined shows nothing */
  error: unknown;
  retry?: (() => void) | undefined;
}

/** What went wrong, what the server said about it, and what to do now. */
export function ProblemAlert({ error, retry }: Props) {
  const { t } = useTranslation();
  if (!error) return null;
  const { kind, problem, retryAfterS } = asApiError(error);
  return (
    <Alert role="alert" color="red" title={t(`problem.${kind}.title`)}>
      <Stack gap={6}>
        <Text size="sm">{t(`problem.${kind}.advice`, { seconds: retryAfterS ?? 60 })}</Text>
        {problem?.detail && (
          <Text size="sm" className="break">
            {t('problem.said', { detail: problem.detail })}
          </Text>
        )}
        {(retry || problem?.request) && (
          <Group gap="md">
            {retry && (
              <Button size="xs" variant="default" onClick={retry}>
                {t('retry')}
              </Button>
            )}
            {problem?.request && (
              <Text size="xs" className="mono">
                {t('problem.request', { id: problem.request })}
              </Text>
            )}
          </Group>
        )}
      </Stack>
    </Alert>
  );
}
