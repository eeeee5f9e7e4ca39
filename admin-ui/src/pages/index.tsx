import { useQuery } from '@tanstack/react-query';
import { Suspense, lazy } from 'react';
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter';
import { PageLoading } from '@/components/PageLoading';
import { ProblemPage } from '@/components/ProblemPage';
import { SessionProvider } from '@/session/context';
import { sessionQuery } from '@/session/session';
import { returnPath } from './returnPath';

const LoginPage = lazy(() => import('./LoginPage'));
const Portal = lazy(() => import('@/layout/Portal'));

function ToLogin() {
  const [path] = useLocation();
  const search = useSearch();
  const here = path + (search ? `?${search}` : '');
  return (
    <Redirect replace to={here === '/' ? '/login' : `/login?return=${encodeURIComponent(here)}`} />
  );
}

export function Pages() {
  const { data: session, error, refetch } = useQuery(sessionQuery);
  const search = useSearch();
  if (error && session === undefined) {
    return <ProblemPage error={error} retry={() => void refetch()} />;
  }
  if (session === undefined) return <PageLoading />;
  return (
    <Suspense fallback={<PageLoading />}>
      <Switch>
        <Route path="/login">
          {session ? <Redirect replace to={returnPath(search)} /> : <LoginPage />}
        </Route>
        <Route>
          {session ? (
            <SessionProvider value={session}>
              <Portal />
            </SessionProvider>
          ) : (
            <ToLogin />
          )}
        </Route>
      </Switch>
    </Suspense>
  );
}
