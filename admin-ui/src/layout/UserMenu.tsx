import { Button, Menu, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useSession } from '@/session/context';
import { logout } from '@/session/session';
import { LanguageChoice, ThemeChoice } from './Preferences';

export function UserMenu() {
  const { t } = useTranslation();
  const { user } = useSession();
  return (
    <Menu position="bottom-end" width={270}>
      <Menu.Target>
        <Button
          variant="default"
          size="compact-md"
          maw={200}
          rightSection={<span aria-hidden>▾</span>}
        >
          {user.display_name || user.name}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to="/account">
          {t('nav.account')}
        </Menu.Item>
        <Stack gap={6} px="sm" py="xs">
          <Text size="xs" c="var(--emt-dimmed)">
            {t('preference.language')}
          </Text>
          <LanguageChoice />
          <Text size="xs" c="var(--emt-dimmed)">
            {t('preference.theme')}
          </Text>
          <ThemeChoice />
        </Stack>
        <Menu.Divider />
        <Menu.Item onClick={() => void logout().catch(() => undefined)}>{t('logout')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
