// When a schedule is due, as base/cron.h has it; the server decides, this explains.
import { DAY, HOUR, localParts } from '@/components/measure/localTime';

export interface CronPattern {
  minutes: number[];
  hours: number[];
  days: number[];
  months: number[];
  /** 0 is Sunday */
  weekdays: number[];
  /** the field begins with `*` */
  anyHour: boolean;
  anyDay: boolean;
  anyWeekday: boolean;
  /** one minute of each hour between the two, drawn by the server */
  drawn: { from: number; to: number } | null;
}

export type CronField = 'minute' | 'hour' | 'day' | 'month' | 'weekday';
export type Cron = { patterns: CronPattern[] } | { fault: CronField | 'fields' | 'patterns' };

const PATTERNS_MAX = 8;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: { name: CronField; least: number; most: number; words: string[] }[] = [
  { name: 'minute', least: 0, most: 59, words: [] },
  { name: 'hour', least: 0, most: 23, words: [] },
  { name: 'day', least: 1, most: 31, words: [] },
  { name: 'month', least: 1, most: 12, words: MONTHS },
  { name: 'weekday', least: 0, most: 7, words: WEEKDAYS },
];

function readValue(text: string, field: number): number | undefined {
  const { least, most, words } = FIELDS[field] as (typeof FIELDS)[number];
  const word = words.indexOf(text.toLowerCase());
  if (word >= 0) return least + word;
  if (!/^\d{1,3}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

function readRange(text: string, field: number): { from: number; to: number } | undefined {
  const [first = '', second, ...rest] = text.split('-');
  const from = readValue(first, field);
  let to = second === undefined ? from : readValue(second, field);
  if (field === 4 && second !== undefined && to === 0 && from !== 0) to = 7; // fri-sun
  return from === undefined || to === undefined || to < from || rest.length > 0
    ? undefined
    : { from, to };
}

function readList(text: string, field: number): number[] | undefined {
  const { least, most } = FIELDS[field] as (typeof FIELDS)[number];
  const found = new Set<number>();
  for (const item of text.split(',')) {
    const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(item);
    if (!match) return undefined;
    const [, span = '', stepText] = match;
    const all = span === '*';
    const range = all ? { from: least, to: field === 4 ? 6 : most } : readRange(span, field);
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!range || step === 0) return undefined;
    if (!all && range.from === range.to && stepText !== undefined) return undefined;
    for (let value = range.from; value <= range.to; value += step)
      found.add(field === 4 ? value % 7 : value);
  }
  return [...found].sort((a, b) => a - b);
}

const LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function readPattern(text: string): CronPattern | CronField | 'fields' {
  const parts = text.trim().split(/[ \t]+/);
  if (parts.length !== FIELDS.length) return 'fields';
  const lists: number[][] = [];
  let drawn: CronPattern['drawn'] = null;
  for (const [field, part] of parts.entries()) {
    if (field === 0 && part.startsWith('?')) {
      const range = readRange(part.slice(1), field);
      if (!range) return 'minute';
      drawn = range;
      lists.push([]);
      continue;
    }
    const list = readList(part, field);
    if (!list) return (FIELDS[field] as (typeof FIELDS)[number]).name;
    lists.push(list);
  }
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = lists;
  const [, hour = '', day = '', , weekday = ''] = parts;
  const anyWeekday = weekday.startsWith('*');
  const comes = months.some((month) => days.some((one) => one <= (LENGTHS[month - 1] ?? 0)));
  if (anyWeekday && !comes) return 'day';
  return {
    minutes,
    hours,
    days,
    months,
    weekdays,
    anyHour: hour.startsWith('*'),
    anyDay: day.startsWith('*'),
    anyWeekday,
    drawn,
  };
}

export function readCron(text: string): Cron {
  const texts = text.split('|');
  if (texts.length > PATTERNS_MAX) return { fault: 'patterns' };
  const patterns: CronPattern[] = [];
  for (const one of texts) {
    const pattern = readPattern(one);
    if (typeof pattern === 'string') return { fault: pattern };
    patterns.push(pattern);
  }
  return { patterns };
}

/** When both day fields are restricted, a day that fits either one counts, as in crontab(5). */
export function dayFits(p: CronPattern, month: number, day: number, weekday: number): boolean {
  if (!p.months.includes(month)) return false;
  const ofMonth = p.days.includes(day);
  const ofWeek = p.weekdays.includes(weekday);
  return p.anyDay || p.anyWeekday ? ofMonth && ofWeek : ofMonth || ofWeek;
}

/** Reading of a clock in Berlin, as if it were UTC. */
function wallOf(at: number): number {
  const p = localParts(at);
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute);
}

/** The instants a pattern means by a reading of the clock: two, one or the end of a gap. */
function instants(wall: number, p: CronPattern, local: boolean): number[] {
  if (!local) return [wall];
  const found = [wall - 2 * HOUR, wall - HOUR].filter((at) => wallOf(at) === wall);
  if (found.length === 0) return p.anyHour ? [] : [Math.floor(wall / HOUR) * HOUR - HOUR];
  return p.anyHour ? found : found.slice(0, 1);
}

const HORIZON_DAYS = 9 * 366;

/** The next times, and until when the latest of them may be: where a minute is drawn, which only the server knows. */
export function nextRuns(
  patterns: readonly CronPattern[],
  local: boolean,
  now: number,
  count = 5,
): { at: number; until: number }[] {
  const found = new Map<number, number>();
  for (const p of patterns) {
    const wide = p.drawn ? (p.drawn.to - p.drawn.from) * 60_000 : 0;
    const first = p.drawn ? { ...p, minutes: [p.drawn.from] } : p;
    // A drawn minute may still come as long as the last one is ahead.
    for (const at of nextTimes([first], local, now - wide, count))
      found.set(at, Math.max(at + wide, found.get(at) ?? at));
  }
  return [...found]
    .map(([at, until]) => ({ at, until }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count);
}

/** The next times of patterns without a drawn minute. */
export function nextTimes(
  patterns: readonly CronPattern[],
  local: boolean,
  now: number,
  count = 5,
): number[] {
  const today = Math.floor((local ? wallOf(now) : now) / DAY) * DAY;
  const found = new Set<number>();
  for (let i = 0; i < HORIZON_DAYS && found.size < count; i += 1) {
    const midnight = today + i * DAY;
    const date = new Date(midnight);
    for (const p of patterns) {
      if (!dayFits(p, date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCDay())) continue;
      let enough = Infinity;
      let own = 0;
      for (const hour of p.hours)
        for (const minute of p.minutes) {
          const wall = midnight + hour * HOUR + minute * 60_000;
          // An hour that comes twice mixes its readings: two hours more bring them all.
          if (wall > enough || wall < now - 2 * HOUR) continue;
          for (const at of instants(wall, p, local))
            if (at > now) {
              found.add(at);
              own += 1;
              if (own === count) enough = wall + 2 * HOUR;
            }
        }
    }
  }
  return [...found].sort((a, b) => a - b).slice(0, count);
}

const ALL_DAYS = 31;
const ALL_WEEKDAYS = 7;
const ALL_MONTHS = 12;
const TIMES_SHOWN = 6;

export type Say = (key: string, values?: Record<string, unknown>) => string;

/** [1,2,3,5] -> [[1,3],[5,5]]: runs of neighbours. */
export function runs(values: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const value of values) {
    const last = found.at(-1);
    if (last && last[1] === value - 1) last[1] = value;
    else found.push([value, value]);
  }
  return found;
}

const two = (value: number) => String(value).padStart(2, '0');

/** '0, 15, 30, 45' -> 15; undefined when the minutes are not evenly spread over the hour. */
function spread(minutes: readonly number[]): number | undefined {
  const step = minutes.length > 1 ? 60 / minutes.length : NaN;
  return Number.isInteger(step) && minutes.every((minute, i) => minute === i * step)
    ? step
    : undefined;
}

/** One pattern in words. */
export function describe(p: CronPattern, language: string, say: Say): string {
  const locale = language === 'en' ? 'en-GB' : 'de-DE';
  const list = (texts: string[]) =>
    new Intl.ListFormat(locale, { type: 'conjunction' }).format(texts);
  const spans = (values: readonly number[], name: (value: number) => string) =>
    list(
      runs(values).flatMap(([from, to]) =>
        to - from > 1
          ? [say('cron.span', { from: name(from), to: name(to) })]
          : to > from
            ? [name(from), name(to)]
            : [name(from)],
      ),
    );
  const weekday = (value: number) =>
    new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' }).format(
      Date.UTC(2023, 0, 1 + value), // a Sunday
    );
  const month = (value: number) =>
    new Intl.DateTimeFormat(locale, { month: 'long', timeZone: 'UTC' }).format(
      Date.UTC(2023, value - 1, 1),
    );

  const time = () => {
    const hours = spans(p.hours, String);
    const everyHour = p.hours.length === 24;
    if (p.drawn) {
      const { from, to } = p.drawn;
      return everyHour
        ? say('cron.drawnEveryHour', { from: two(from), to: two(to) })
        : say('cron.drawnHours', { hours, from: two(from), to: two(to) });
    }
    if (!everyHour && p.hours.length * p.minutes.length <= TIMES_SHOWN)
      return say('cron.at', {
        times: list(p.hours.flatMap((h) => p.minutes.map((m) => `${two(h)}:${two(m)}`))),
      });
    const step = spread(p.minutes);
    const minutes =
      step === 1
        ? say('cron.everyMinute')
        : step !== undefined
          ? say('cron.everyMinutes', { step })
          : say('cron.minutes', { minutes: spans(p.minutes, String) });
    return everyHour ? minutes : say('cron.inHours', { minutes, hours });
  };

  const day = () => {
    const allDays = p.days.length === ALL_DAYS;
    const allWeekdays = p.weekdays.length === ALL_WEEKDAYS;
    // Monday first, as people read a week.
    const week = [...p.weekdays].map((one) => (one + 6) % 7).sort((a, b) => a - b);
    const ofWeek = say('cron.onWeekdays', { days: spans(week, (one) => weekday((one + 1) % 7)) });
    const ofMonth = say('cron.onDays', {
      days: spans(p.days, (one) => (language === 'en' ? String(one) : `${one}.`)),
    });
    const both = p.anyDay || p.anyWeekday;
    if (both ? allDays && allWeekdays : allDays || allWeekdays) return say('cron.daily');
    if (both && allWeekdays) return ofMonth;
    if (both && allDays) return ofWeek;
    return say(both ? 'cron.and' : 'cron.or', { a: ofMonth, b: ofWeek });
  };

  const parts = [day(), time()];
  if (p.months.length < ALL_MONTHS)
    parts.push(say('cron.inMonths', { months: spans(p.months, month) }));
  return parts.join(', ');
}
