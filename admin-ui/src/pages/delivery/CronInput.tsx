import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { formatTime } from '@/lib/time';
import { localParts } from '@/components/measure/localTime';
import { useNow } from '@/lib/useNow';
import { describe, nextRuns, readCron } from './cron';

const PRESETS = [
  { name: 'daily', text: '?10-40 3 * * *' },
  { name: 'weekdays', text: '0 6 * * mon-fri' },
  { name: 'monthly', text: '30 4 1 * *' },
  { name: 'hourly', text: '5 * * * *' },
] as const;

interface Props {
  value: string;
  onChange: (value: string) => void;
  error?: ReactNode;
  /** by German time, else UTC */
  local: boolean;
}

/** A pattern of times, what it means in words and when that is. */
export function CronInput({ value, onChange, error, local }: Props) {
  const { t } = useTranslation('delivery');
  return (
    <Stack gap={6}>
      <TextInput
        label={t('schedule.cron')}
        description={t('schedule.cronHint')}
        required
        maxLength={256}
        autoComplete="off"
        spellCheck={false}
        classNames={{ input: 'mono' }}
        value={value}
        error={error}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      <Group gap={6}>
        {PRESETS.map(({ name, text }) => (
          <Button key={name} size="compact-xs" variant="default" onClick={() => onChange(text)}>
            {t(`cron.preset.${name}`)}
          </Button>
        ))}
      </Group>
      <CronMeaning text={value} local={local} />
    </Stack>
  );
}

/** '03:40', by the German clock. */
function clock(at: number): string {
  const { hour, minute } = localParts(at);
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

function CronMeaning({ text, local }: { text: string; local: boolean }) {
  const { t, i18n } = useTranslation('delivery');
  const now = useNow(30_000);
  if (!text.trim()) return null;
  const cron = readCron(text);
  if ('fault' in cron)
    return (
      <Text size="sm" c="var(--emt-bad)">
        {t(`cron.fault.${cron.fault}`)}
      </Text>
    );
  const runs = nextRuns(cron.patterns, local, now);
  const drawn = cron.patterns.some((pattern) => pattern.drawn);
  const time = (at: number) => formatTime(new Date(at).toISOString(), i18n.language);
  return (
    <Stack gap={2} aria-live="polite">
      {cron.patterns.map((pattern, index) => (
        <Text key={index} size="sm">
          {describe(pattern, i18n.language, (key, values) => t(key, { ...values }))}
        </Text>
      ))}
      <Text size="xs" c="var(--emt-dimmed)">
        {t(`cron.${drawn ? 'windows' : 'next'}${local ? '' : 'Utc'}`, {
          times: runs
            .map(({ at, until }) => (until > at ? `${time(at)} – ${clock(until)}` : time(at)))
            .join(' · '),
        })}
      </Text>
    </Stack>
  );
}
