// The API speaks UTC; people here live by German legal time, wherever their browser is.
export const ZONE = 'Europe/Berlin';

type Style = 'minute' | 'second' | 'day';

const STYLES: Record<Style, Intl.DateTimeFormatOptions> = {
  day: { year: 'numeric', month: '2-digit', day: '2-digit' },
  minute: { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
  second: {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  },
};

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(language: string, style: Style): Intl.DateTimeFormat {
  const key = `${language} ${style}`;
  let found = formatters.get(key);
  if (!found) {
    const locale = language === 'en' ? 'en-GB' : 'de-DE';
    found = new Intl.DateTimeFormat(locale, { ...STYLES[style], timeZone: ZONE, hour12: false });
    formatters.set(key, found);
  }
  return found;
}

/** '' for nothing, the text itself for what is no time. */
export function formatTime(
  at: string | null | undefined,
  language: string,
  style: Style = 'minute',
): string {
  if (!at) return '';
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : formatter(language, style).format(time);
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** 'vor 3 Minuten', 'in 2 hours'. */
export function formatAgo(at: string, now: number, language: string): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(
    Math.trunc(seconds / size),
    unit,
  );
}

/** A length of time in its two largest parts: '3 d 4 h', '12 min 5 s'. */
export function formatDuration(seconds: number, language: string): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), language === 'en' ? 'd' : 'T'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0\u00a0s';
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}\u00a0${unit}`)
    .join(' ');
}
