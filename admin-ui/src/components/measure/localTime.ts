// German local days: a day of the market begins at midnight in Berlin, whatever the browser's zone.

import { ZONE } from '../../lib/time';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const partsFormat = new Intl.DateTimeFormat('en-GB', {
  timeZone: ZONE,
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

export interface LocalParts {
  year: number;
  month: number; // 1 to 12
  day: number;
  hour: number;
  minute: number;
  second: number;
}

export function localParts(at: number): LocalParts {
  const found: Record<string, number> = {};
  for (const { type, value } of partsFormat.formatToParts(at)) found[type] = Number(value);
  return {
    year: found.year ?? 0,
    month: found.month ?? 0,
    day: found.day ?? 0,
    hour: found.hour ?? 0,
    minute: found.minute ?? 0,
    second: found.second ?? 0,
  };
}

/** Offset of local time at this instant, in ms. */
function offset(at: number): number {
  const p = localParts(at);
  return (
    Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - Math.floor(at / 1000) * 1000
  );
}

/** The instant of local midnight. Days and months outside their range carry over, as in Date.UTC. */
export function localMidnight(year: number, month: number, day: number): number {
  const wall = Date.UTC(year, month - 1, day);
  // The offset an hour before the change is not the one at midnight: the second look is at the spot.
  const guess = wall - offset(wall);
  return wall - offset(guess);
}

export type Preset = 'day' | 'week' | 'month' | 'year';
export const PRESETS: readonly Preset[] = ['day', 'week', 'month', 'year'];

export interface Span {
  from: number;
  to: number; // exclusive
}

/** The whole local day, week (from Monday), month or year that holds the instant. */
export function presetSpan(preset: Preset, at: number): Span {
  const { year, month, day } = localParts(at);
  switch (preset) {
    case 'day':
      return { from: localMidnight(year, month, day), to: localMidnight(year, month, day + 1) };
    case 'week': {
      const weekday = (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7;
      return {
        from: localMidnight(year, month, day - weekday),
        to: localMidnight(year, month, day - weekday + 7),
      };
    }
    case 'month':
      return { from: localMidnight(year, month, 1), to: localMidnight(year, month + 1, 1) };
    case 'year':
      return { from: localMidnight(year, 1, 1), to: localMidnight(year + 1, 1, 1) };
  }
}

/** The span before (-1) or after (+1): the neighbouring calendar span, else shifted by its width. */
export function neighbour(span: Span, direction: -1 | 1): Span {
  for (const preset of PRESETS) {
    const whole = presetSpan(preset, span.from);
    if (whole.from === span.from && whole.to === span.to)
      return presetSpan(preset, direction < 0 ? span.from - 1 : span.to);
  }
  const width = (span.to - span.from) * direction;
  return { from: span.from + width, to: span.to + width };
}

export type Aggregate = 'raw' | 'hour' | 'day' | 'month';
export const AGGREGATES: readonly Aggregate[] = ['raw', 'hour', 'day', 'month'];

/** Some hundred points across the chart, whatever the span. */
export function aggregateFor({ from, to }: Span): Aggregate {
  const width = to - from;
  if (width <= 2 * DAY + HOUR) return 'raw';
  if (width <= 15 * DAY) return 'hour';
  return width <= 400 * DAY ? 'day' : 'month';
}

/** Widened to whole hours, local days or months: half a bar would look like half the consumption. */
export function wholeSpan({ from, to }: Span, aggregate: Aggregate): Span {
  switch (aggregate) {
    case 'raw':
      return { from, to };
    case 'hour':
      return { from: Math.floor(from / HOUR) * HOUR, to: Math.ceil(to / HOUR) * HOUR };
    case 'day':
    case 'month':
      return { from: presetSpan(aggregate, from).from, to: presetSpan(aggregate, to - 1).to };
  }
}

/** ISO text of a German local day, as the export wants it. */
export function dayText(at: number): string {
  const { year, month, day } = localParts(at);
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** Midnight in Berlin of YYYY-MM-DD; undefined when that is no day. */
export function dayInstant(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return undefined;
  const at = localMidnight(Number(match[1]), Number(match[2]), Number(match[3]));
  return dayText(at) === text ? at : undefined;
}
