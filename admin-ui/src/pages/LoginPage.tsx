import {
  Alert,
  Button,
  Center,
  Group,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDocumentTitle } from '@mantine/hooks';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemAlert } from '@/components/ProblemAlert';
import { LanguageChoice } from '@/layout/Preferences';
import { Mark } from '@/layout/Mark';
import { MIN_PASSWORD } from '@/session/password';
import { asApiError } from '@/api/problem';
import { login, sessionEndReason } from '@/session/session';

/** Name and password; a one-time password is exchanged for an own one on the way in. */
export default function LoginPage() {
  const { t } = useTranslation();
  useDocumentTitle(`${t('login.title')} · EMT Platform`);
  const [busy, setBusy] = useState(false);
  const [oneTime, setOneTime] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [reason] = useState(sessionEndReason);
  const form = useForm({
    initialValues: { name: '', password: '', newPassword: '', again: '' },
    validate: {
      name: (value) => (value.trim() ? null : t('form.required')),
      password: (value) => (value ? null : t('form.required')),
      newPassword: (value) =>
        oneTime && value.length < MIN_PASSWORD
          ? t('password.short', { count: MIN_PASSWORD })
          : null,
      again: (value, values) =>
        oneTime && value !== values.newPassword ? t('password.differs') : null,
    },
  });
  const submit = form.onSubmit(async (values) => {
    setBusy(true);
    setError(null);
    try {
      await login({
        name: values.name.trim(),
        password: values.password,
        newPassword: oneTime ? values.newPassword : undefined,
      });
    } catch (failure) {
      setBusy(false);
      if (asApiError(failure).kind === 'password-change-required' && !oneTime) setOneTime(true);
      else setError(failure);
    }
  });
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="lg" w="100%" maw={400} component="form" onSubmit={submit} noValidate>
        <Stack>
          <Group justify="space-between">
            <Group gap="xs">
              <Mark />
              <Title order={1}>EMT Platform</Title>
            </Group>
            <LanguageChoice />
          </Group>
          {reason && !error && !oneTime && (
            <Alert role="status" color="petrol">
              {t(`login.${reason}`)}
            </Alert>
          )}
          <TextInput
            label={t('login.name')}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            {...form.getInputProps('name')}
          />
          <PasswordInput
            label={t('login.password')}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
            {...form.getInputProps('password')}
          />
          {oneTime && (
            <>
              <Text size="sm">{t('login.oneTime')}</Text>
              <PasswordInput
                label={t('password.new')}
                description={t('password.rule', { count: MIN_PASSWORD })}
                autoComplete="new-password"
                visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
                {...form.getInputProps('newPassword')}
              />
              <PasswordInput
                label={t('password.again')}
                autoComplete="new-password"
                visibilityToggleButtonProps={{ 'aria-label': t('password.show') }}
                {...form.getInputProps('again')}
              />
            </>
          )}
          {asApiError(error).kind === 'unauthorized' && error ? (
            <Alert role="alert" color="red">
              {t('login.wrong')}
            </Alert>
          ) : (
            <ProblemAlert error={error} />
          )}
          <Button type="submit" loading={busy} fullWidth>
            {t(oneTime ? 'login.exchange' : 'login.submit')}
          </Button>
        </Stack>
      </Paper>
    </Center>
  );
}
