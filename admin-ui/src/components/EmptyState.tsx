import { Center, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

/** Nothing here, why that is so, and the next step where there is one. */
export function EmptyState({
  title,
  text,
  children,
}: {
  title: string;
  text?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <Center py={48} px="md">
      <Stack gap={6} align="center" maw={460}>
        <Text fw={600}>{title}</Text>
        {text && (
          <Text size="sm" ta="center" c="var(--emt-dimmed)">
            {text}
          </Text>
        )}
        {children}
      </Stack>
    </Center>
  );
}
