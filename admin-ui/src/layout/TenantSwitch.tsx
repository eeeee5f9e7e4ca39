import { Button, Menu, ScrollArea } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useSession } from '@/session/context';

/** The tenant one is in, and the way to the others. */
export function TenantSwitch({ current }: { current: string | undefined }) {
  const { t } = useTranslation();
  const { tenants, user } = useSession();
  const here = tenants.find(({ key }) => key === current);
  if (tenants.length <= 1 && user.platform_role === 'none') {
    return here ? <span>{here.name}</span> : null;
  }
  return (
    <Menu position="bottom-start" width={280} withinPortal={false}>
      <Menu.Target>
        <Button
          variant="default"
          size="compact-sm"
          maw={260}
          rightSection={<span aria-hidden>▾</span>}
        >
          {here?.name ?? current ?? t('tenant.choose')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('tenant.plural')}</Menu.Label>
        <ScrollArea.Autosize mah={360}>
          {tenants.map(({ key, name }) => (
            <Menu.Item key={key} component={Link} to={`/t/${key}`}>
              {name}
            </Menu.Item>
          ))}
        </ScrollArea.Autosize>
        <Menu.Divider />
        <Menu.Item component={Link} to={user.platform_role === 'none' ? '/' : '/operator/tenants'}>
          {t('tenant.all')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
