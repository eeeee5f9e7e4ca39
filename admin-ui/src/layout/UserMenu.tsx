import { Button, Divider, NavLink, Popover, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useSession } from '@/session/context';
import { logout } from '@/session/session';
import { LanguageChoice, ThemeChoice } from './Preferences';

/** The user's own things: account, language, appearance, the way out. */
export function UserMenu() {
  const { t } = useTranslation();
  const { user } = useSession();
  const [opened, setOpened] = useState(false);
  return (
    <Popover
      opened={opened}
      onChange={setOpened}
      position="bottom-end"
      width={270}
      withinPortal={false}
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <Button
          variant="default"
          size="compact-sm"
          maw={200}
          rightSection={<span aria-hidden>▾</span>}
          onClick={() => setOpened(!opened)}
        >
          {user.display_name || user.name}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label={t('nav.account')}>
        <NavLink
          component={Link}
          to="/account"
          label={t('nav.account')}
          py={6}
          onClick={() => setOpened(false)}
        />
        <Stack gap={6} px="sm" py="xs">
          <Text size="xs" c="dimmed">
            {t('preference.language')}
          </Text>
          <LanguageChoice />
          <Text size="xs" c="dimmed">
            {t('preference.theme')}
          </Text>
          <ThemeChoice />
        </Stack>
        <Divider my={4} />
        <NavLink
          component="button"
          label={t('logout')}
          py={6}
          onClick={() => void logout().catch(() => undefined)}
        />
      </Popover.Dropdown>
    </Popover>
  );
}
