import { Text, Tooltip } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { formatAgo, formatTime } from '@/lib/time';
import { useNow } from '@/lib/useNow';

/** A point in time by German legal time; the exact UTC text is in the tooltip. */
export function Time({
  at,
  seconds = false,
}: {
  at: string | null | undefined;
  seconds?: boolean;
}) {
  const { i18n } = useTranslation();
  if (!at)
    return (
      <Text span inherit>
        –
      </Text>
    );
  return (
    <time dateTime={at} title={at}>
      {formatTime(at, i18n.language, seconds ? 'second' : 'minute')}
    </time>
  );
}

/** How long ago, kept current; the time itself is in the tooltip. */
export function Ago({ at }: { at: string | null | undefined }) {
  const { i18n } = useTranslation();
  const now = useNow(10_000);
  if (!at)
    return (
      <Text span inherit>
        –
      </Text>
    );
  return (
    <Tooltip label={formatTime(at, i18n.language, 'second')}>
      <time dateTime={at}>{formatAgo(at, now, i18n.language)}</time>
    </Tooltip>
  );
}
