import { Alert, Box, Button, Code, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

interface Props {
  label: string;
  value: string;
  /** what it is for */
  text?: string;
  multiline?: boolean;
}

type Copied = 'no' | 'yes' | 'failed';

/** Something the server tells once and never again: readable, selectable, one press to copy. */
export function SecretOnce({ label, value, text, multiline = false }: Props) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState<Copied>('no');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setCopied('yes');
    } catch {
      setCopied('failed');
    }
  };
  return (
    <Box>
      <Group justify="space-between" align="end" mb={4}>
        <Text size="sm" fw={600}>
          {label}
        </Text>
        <Button size="compact-sm" variant="default" onClick={() => void copy()} aria-live="polite">
          {t(copied === 'yes' ? 'secret.copied' : 'secret.copy')}
        </Button>
      </Group>
      <Code
        block
        tabIndex={0}
        aria-label={label}
        style={{ whiteSpace: multiline ? 'pre' : 'pre-wrap', overflowWrap: 'anywhere' }}
      >
        {value}
      </Code>
      {copied === 'failed' && (
        <Text size="sm" mt={4}>
          {t('secret.copyFailed')}
        </Text>
      )}
      {text && (
        <Text size="sm" mt={4} c="var(--emt-dimmed)">
          {text}
        </Text>
      )}
    </Box>
  );
}

/** Stands above secrets: they are gone with the page. */
export function OnceNotice() {
  const { t } = useTranslation();
  return (
    <Alert color="orange" title={t('secret.once')}>
      <Stack gap={0}>
        <Text size="sm">{t('secret.onceText')}</Text>
      </Stack>
    </Alert>
  );
}
