import { Group, Progress, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { formatCount } from '@/lib/decimal';
import { jobFraction, type Job } from './jobs';

/** How far a job is, as a bar and in figures. */
export function JobProgress({ job }: { job: Job }) {
  const { t, i18n } = useTranslation('measure');
  const fraction = jobFraction(job);
  const { done, total } = job.progress;
  const count = (value: number) => formatCount(value, i18n.language);
  const text =
    job.state === 'done'
      ? count(total ?? done)
      : total === null
        ? t('job.doneOfUnknown', { done: count(done) })
        : `${count(done)} / ${count(total)}`;
  return (
    <Group gap="xs" wrap="nowrap">
      <Progress
        value={fraction ?? 100}
        animated={job.state === 'running' && fraction === null}
        color={job.state === 'failed' ? 'red' : undefined}
        style={{ flex: 1, minWidth: 60 }}
        aria-label={t('job.progress')}
      />
      <Text size="xs" component="span">
        {text}
      </Text>
    </Group>
  );
}
