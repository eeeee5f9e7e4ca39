import { Anchor, Breadcrumbs, Group, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';

interface Props {
  title: string;
  /** one line on what this page is for */
  text?: ReactNode;
  /** the way back, outermost first */
  path?: { label: string; to: string }[];
  /** badges beside the title */
  badges?: ReactNode;
  /** buttons at the right */
  children?: ReactNode;
}

export function PageHeader({ title, text, path = [], badges, children }: Props) {
  const { t } = useTranslation();
  useDocumentTitle(`${title} · EMT Platform`);
  return (
    <Stack gap={4} mb="md">
      {path.length > 0 && (
        <nav aria-label={t('breadcrumb')}>
          <Breadcrumbs separatorMargin={6}>
            {path.map(({ label, to }) => (
              <Anchor key={to} component={Link} to={to} size="sm">
                {label}
              </Anchor>
            ))}
          </Breadcrumbs>
        </nav>
      )}
      <Group justify="space-between" align="center" gap="sm">
        <Group gap="sm" align="center" maw="100%">
          <Title order={1} className="break">
            {title}
          </Title>
          {badges}
        </Group>
        {children && <Group gap="xs">{children}</Group>}
      </Group>
      {text && (
        <Text size="sm" c="var(--emt-dimmed)" maw={760}>
          {text}
        </Text>
      )}
    </Stack>
  );
}
