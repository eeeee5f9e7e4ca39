import { AppShell, Burger, Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Suspense, lazy, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { CrashGuard } from '@/components/CrashGuard';
import { PageLoading } from '@/components/PageLoading';
import { ProblemAlert } from '@/components/ProblemAlert';
import { operatorRoutes, tenantRoutes, type PortalRoute } from '@/pages/routes';
import { TenantProvider, platformRole, useSession } from '@/session/context';
import { roleMay } from '@/session/permission';
import { sessionExpired, sessionQuery } from '@/session/session';
import { Mark } from './Mark';
import { Navigation } from './Navigation';
import { TenantSwitch } from './TenantSwitch';
import { UserMenu } from './UserMenu';

const TenantChoicePage = lazy(() => import('@/pages/TenantChoicePage'));
const AccountPage = lazy(() => import('@/pages/AccountPage'));
const NotFoundPage = lazy(() => import('@/pages/NotFoundPage'));

/** Everything behind the log-in: header, navigation and the page of the address. */
export default function Portal() {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure(false);
  const [path] = useLocation();
  const tenant = /^\/t\/([^/]+)/.exec(path)?.[1];
  useSessionClock();
  useEffect(close, [path, close]);
  useArrival(path);
  return (
    <AppShell
      header={{ height: 50 }}
      navbar={{ width: 216, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a className="skip" href="#page">
        {t('skip')}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={t('nav.toggle')}
            />
            <Link to="/" aria-label={t('nav.home')} style={{ display: 'flex' }}>
              <Mark />
            </Link>
            <Text fw={600} visibleFrom="sm">
              EMT Platform
            </Text>
            <TenantSwitch current={tenant} />
          </Group>
          <UserMenu />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs">
        <Navigation tenant={tenant} />
      </AppShell.Navbar>
      <AppShell.Main id="page" tabIndex={-1} style={{ outline: 'none' }}>
        <CrashGuard
          at={path}
          title={t('crash.title')}
          text={t('crash.text')}
          action={t('crash.action')}
        >
          <Suspense fallback={<PageLoading />}>
            <Switch>
              <Route path="/">
                <Start />
              </Route>
              <Route path="/account" component={AccountPage} />
              <Route path="/t/:tenant/*?">
                {tenant && <TenantPages key={tenant} tenant={tenant} />}
              </Route>
              {operatorRoutes.map((route) => (
                <Route key={route.path} path={route.path}>
                  <PlatformPage route={route} />
                </Route>
              ))}
              <Route>
                <NotFoundPage />
              </Route>
            </Switch>
          </Suspense>
        </CrashGuard>
      </AppShell.Main>
    </AppShell>
  );
}

/** Who has exactly one tenant and no other task is taken there at once. */
function Start() {
  const session = useSession();
  const only = session.tenants.length === 1 ? session.tenants[0] : undefined;
  if (only && session.user.platform_role === 'none') {
    return <Redirect replace to={`/t/${only.key}`} />;
  }
  return <TenantChoicePage />;
}

function PlatformPage({ route: { page: Page, needs } }: { route: PortalRoute }) {
  const session = useSession();
  return roleMay(platformRole(session), needs) ? <Page /> : <NotFoundPage />;
}

function TenantPages({ tenant }: { tenant: string }) {
  const { t } = useTranslation();
  const session = useSession();
  const own = session.tenants.find(({ key }) => key === tenant);
  const role = own?.role ?? platformRole(session);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'tenant'),
    queryFn: () => call(api.GET('/api/v1/tenants/{tenant}', { params: { path: { tenant } } })),
  });
  const name = data?.name ?? own?.name ?? tenant;
  const scope = useMemo(
    () => ({
      tenant,
      name,
      role,
      may: (operation: Parameters<typeof roleMay>[1]) => roleMay(role, operation),
    }),
    [tenant, name, role],
  );
  if (error?.kind === 'not-found') return <NotFoundPage text={t('notFound.tenant', { tenant })} />;
  if (error && !data) return <ProblemAlert error={error} retry={() => void refetch()} />;
  return (
    <TenantProvider value={scope}>
      <Switch>
        {tenantRoutes.map(({ path, page: Page, needs }) => (
          <Route key={path} path={`/t/:tenant${path}`}>
            {scope.may(needs) ? <Page /> : <NotFoundPage text={t('notFound.role')} />}
          </Route>
        ))}
        <Route>
          <NotFoundPage />
        </Route>
      </Switch>
    </TenantProvider>
  );
}

/** On a new page reading begins at its top, and the keyboard is where it begins. */
function useArrival(path: string) {
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    window.scrollTo(0, 0);
    const page = document.getElementById('page');
    if (!page?.contains(document.activeElement)) page?.focus({ preventScroll: true });
  }, [path]);
}

/** When the session's time is over the server is asked once; its no leads to the log-in page. */
function useSessionClock() {
  const { expires_at } = useSession();
  const { refetch } = useQuery(sessionQuery);
  useEffect(() => {
    const left = new Date(expires_at).getTime() - Date.now();
    const timer = setTimeout(
      () => {
        void refetch().then(({ data }) => {
          if (data === null) sessionExpired();
        });
      },
      Math.min(Math.max(left, 1000) + 500, 2_000_000_000),
    );
    return () => clearTimeout(timer);
  }, [expires_at, refetch]);
}
