import { Container } from '@mantine/core';
import { ProblemAlert } from './ProblemAlert';

export function ProblemPage({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Container component="main" size="sm" py="xl">
      <ProblemAlert error={error} retry={retry} />
    </Container>
  );
}
