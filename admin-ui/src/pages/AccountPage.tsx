import { Button, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { asApiError } from '@/api/problem';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { LanguageChoice, ThemeChoice } from '@/layout/Preferences';
import { useSession } from '@/session/context';
import { MIN_PASSWORD } from '@/session/password';

export default function AccountPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { user, tenants } = useSession();
  return (
    <>
      <PageHeader title={t('account.title')} />
      <Stack maw={760}>
        <Panel title={user.display_name || user.name}>
          <Facts
            facts={[
              { label: t('account.name'), value: user.name },
              {
                label: t('account.platformRole'),
                value: t(`common:role.${user.platform_role}`),
              },
              { label: t('account.lastLogin'), value: <Time at={user.last_login_at} /> },
              ...tenants
                .filter(() => user.platform_role === 'none')
                .map(({ name, role }) => ({ label: name, value: t(`common:role.${role}`) })),
            ]}
          />
        </Panel>
        <Panel title={t('account.display')}>
          <Group gap="xl">
            <Stack gap={4}>
              <Text size="sm">{t('common:preference.language')}</Text>
              <LanguageChoice />
            </Stack>
            <Stack gap={4}>
              <Text size="sm">{t('common:preference.theme')}</Text>
              <ThemeChoice />
            </Stack>
          </Group>
        </Panel>
        <PasswordPanel name={user.name} />
      </Stack>
    </>
  );
}

function PasswordPanel({ name }: { name: string }) {
  const { t } = useTranslation(['shell', 'common']);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const form = useForm({
    initialValues: { password: '', new_password: '', again: '' },
    validate: {
      password: (value) => (value ? null : t('common:form.required')),
      new_password: (value) =>
        value.length < MIN_PASSWORD ? t('common:password.short', { count: MIN_PASSWORD }) : null,
      again: (value, values) =>
        value === values.new_password ? null : t('common:password.differs'),
    },
  });
  const submit = form.onSubmit(async ({ password, new_password }) => {
    setBusy(true);
    setError(null);
    try {
      await call(api.POST('/api/v1/session/password', { body: { password, new_password } }));
      form.reset();
      notifications.show({
        message: t('account.passwordChanged'),
        closeButtonProps: { 'aria-label': t('common:close') },
      });
    } catch (failure) {
      if (asApiError(failure).kind === 'unauthorized') {
        form.setFieldError('password', t('account.passwordWrong'));
      } else setError(failure);
    } finally {
      setBusy(false);
    }
  });
  const toggle = { visibilityToggleButtonProps: { 'aria-label': t('common:password.show') } };
  return (
    <Panel title={t('account.password')}>
      <form onSubmit={submit} noValidate>
        <Stack maw={380}>
          <TextInput
            value={name}
            readOnly
            autoComplete="username"
            label={t('account.name')}
            display="none"
          />
          <PasswordInput
            label={t('common:password.current')}
            autoComplete="current-password"
            {...toggle}
            {...form.getInputProps('password')}
          />
          <PasswordInput
            label={t('common:password.new')}
            description={t('common:password.rule', { count: MIN_PASSWORD })}
            autoComplete="new-password"
            {...toggle}
            {...form.getInputProps('new_password')}
          />
          <PasswordInput
            label={t('common:password.again')}
            autoComplete="new-password"
            {...toggle}
            {...form.getInputProps('again')}
          />
          <ProblemAlert error={error} />
          <Group>
            <Button type="submit" loading={busy}>
              {t('account.changePassword')}
            </Button>
          </Group>
          <Text size="xs" c="var(--emt-dimmed)">
            {t('account.passwordNote')}
          </Text>
        </Stack>
      </form>
    </Panel>
  );
}
