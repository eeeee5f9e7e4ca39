import { Center, Loader } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

/** Shown only when something takes longer than a blink. */
export function PageLoading() {
  const { t, ready } = useTranslation(undefined, { useSuspense: false });
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 250);
    return () => clearTimeout(timer);
  }, []);
  return (
    <Center mih={160} role="status" aria-label={ready ? t('loading') : undefined}>
      {late && <Loader size="sm" />}
    </Center>
  );
}
