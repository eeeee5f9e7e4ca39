import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';

export default function NotFoundPage({ text }: { text?: string }) {
  const { t } = useTranslation();
  return (
    <>
      <PageHeader title={t('notFound.title')} />
      <EmptyState title={text ?? t('notFound.text')}>
        <Button component={Link} to="/" variant="default" mt="sm">
          {t('nav.home')}
        </Button>
      </EmptyState>
    </>
  );
}
