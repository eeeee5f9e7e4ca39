import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { Suspense, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { queryClient } from './api/query';
import { CrashGuard } from './components/CrashGuard';
import { PageLoading } from './components/PageLoading';
import { styleNonce } from './csp';
import { Pages } from './pages';
import { cssVariables, theme } from './theme';

export function App() {
  useEffect(() => {
    document.documentElement.dataset.themeReady = '';
  }, []);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      getStyleNonce={() => styleNonce() ?? ''}
    >
      <QueryClientProvider client={queryClient}>
        <Suspense fallback={<PageLoading />}>
          <Shell />
        </Suspense>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Shell() {
  const { t } = useTranslation();
  return (
    <CrashGuard title={t('crash.title')} text={t('crash.text')} action={t('crash.action')}>
      <Notifications position="bottom-right" autoClose={6000} />
      <Pages />
    </CrashGuard>
  );
}
