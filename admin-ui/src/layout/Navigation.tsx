import { NavLink, ScrollArea, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'wouter';
import { platformRole, useSession } from '@/session/context';
import { roleMay } from '@/session/permission';
import type { TenantRole } from '@/session/session';
import { operatorNavigation, tenantNavigation, type NavGroup } from './navigation';

function isHere(path: string, to: string, exact: boolean): boolean {
  return path === to || (!exact && path.startsWith(`${to}/`));
}

function Group({ group, base, role }: { group: NavGroup; base: string; role: TenantRole | null }) {
  const { t } = useTranslation();
  const [path] = useLocation();
  const items = group.items.filter(({ needs }) => roleMay(role, needs));
  if (items.length === 0) return null;
  return (
    <Stack gap={1} mb="sm">
      <Text size="xs" fw={600} px="xs" mb={2} c="var(--emt-dimmed)" id={`nav-${group.label}`}>
        {t(`nav.group.${group.label}`)}
      </Text>
      <Stack gap={1} component="ul" aria-labelledby={`nav-${group.label}`} m={0} p={0}>
        {items.map((item) => {
          const to = base + item.path;
          const here = isHere(path, to, item.path === '');
          return (
            <li key={to} style={{ listStyle: 'none' }}>
              <NavLink
                component={Link}
                to={to}
                label={t(`nav.${item.label}`)}
                active={here}
                aria-current={here ? 'page' : undefined}
                py={5}
                style={{ borderRadius: 'var(--mantine-radius-sm)' }}
              />
            </li>
          );
        })}
      </Stack>
    </Stack>
  );
}

export function Navigation({ tenant }: { tenant: string | undefined }) {
  const { t } = useTranslation();
  const session = useSession();
  const platform = platformRole(session);
  const role = session.tenants.find(({ key }) => key === tenant)?.role ?? platform;
  return (
    <ScrollArea component="nav" aria-label={t('nav.label')} h="100%" type="auto">
      {tenant &&
        tenantNavigation.map((group) => (
          <Group key={group.label} group={group} base={`/t/${tenant}`} role={role} />
        ))}
      {platform && <Group group={operatorNavigation} base="" role={platform} />}
    </ScrollArea>
  );
}
