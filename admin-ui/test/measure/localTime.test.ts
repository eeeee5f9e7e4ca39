import { describe, expect, it } from 'vitest';
import {
  DAY,
  HOUR,
  aggregateFor,
  dayInstant,
  dayText,
  localMidnight,
  neighbour,
  presetSpan,
  wholeSpan,
} from '@/components/measure/localTime';

const at = (text: string) => Date.parse(text);
const iso = (ms: number) => new Date(ms).toISOString();

describe('German local days', () => {
  it('begin at midnight in Berlin, in summer and winter', () => {
    expect(iso(localMidnight(2026, 1, 1))).toBe('2025-12-31T23:00:00.000Z');
    expect(iso(localMidnight(2026, 7, 1))).toBe('2026-06-30T22:00:00.000Z');
  });

  it('have 23 and 25 hours when the clock changes', () => {
    expect(localMidnight(2026, 3, 30) - localMidnight(2026, 3, 29)).toBe(23 * HOUR);
    expect(localMidnight(2026, 10, 26) - localMidnight(2026, 10, 25)).toBe(25 * HOUR);
  });

  it('carry days and months over', () => {
    expect(localMidnight(2026, 13, 1)).toBe(localMidnight(2027, 1, 1));
    expect(localMidnight(2026, 3, 0)).toBe(localMidnight(2026, 2, 28));
  });

  it('belong to the local date, not the UTC one', () => {
    expect(dayText(at('2026-11-20T23:30:00Z'))).toBe('2026-11-21');
    expect(dayInstant('2026-11-21')).toBe(at('2026-11-20T23:00:00Z'));
  });

  it('are refused when they do not exist', () => {
    for (const text of ['2026-02-30', '2026-13-01', '2026-1-1', '', 'today'])
      expect(dayInstant(text), text).toBeUndefined();
  });
});

describe('spans', () => {
  const now = at('2026-11-21T03:00:00Z');

  it('are whole local days, weeks from Monday, months and years', () => {
    expect(iso(presetSpan('day', now).from)).toBe('2026-11-20T23:00:00.000Z');
    expect(iso(presetSpan('week', now).from)).toBe('2026-11-15T23:00:00.000Z');
    expect(iso(presetSpan('week', at('2026-11-22T12:00:00Z')).from)).toBe(
      '2026-11-15T23:00:00.000Z',
    );
    expect(iso(presetSpan('month', now).to)).toBe('2026-11-30T23:00:00.000Z');
    expect(iso(presetSpan('year', now).from)).toBe('2025-12-31T23:00:00.000Z');
  });

  it('step by calendar units of unequal length', () => {
    const march = presetSpan('month', at('2026-03-15T12:00:00Z'));
    expect(neighbour(march, -1)).toEqual(presetSpan('month', at('2026-02-10T12:00:00Z')));
    expect(neighbour(march, 1)).toEqual(presetSpan('month', at('2026-04-10T12:00:00Z')));
    const short = presetSpan('day', at('2026-03-29T12:00:00Z'));
    expect(neighbour(short, 1)).toEqual(presetSpan('day', at('2026-03-30T12:00:00Z')));
    expect(neighbour({ from: 1000, to: 3000 }, 1)).toEqual({ from: 3000, to: 5000 });
  });

  it('are widened to whole hours and local days, so that no bar is cut', () => {
    const span = { from: at('2026-10-25T00:20:00Z'), to: at('2026-10-26T12:10:00Z') };
    expect(wholeSpan(span, 'raw')).toEqual(span);
    expect(wholeSpan(span, 'hour')).toEqual({
      from: at('2026-10-25T00:00:00Z'),
      to: at('2026-10-26T13:00:00Z'),
    });
    expect(wholeSpan(span, 'day')).toEqual({
      from: at('2026-10-24T22:00:00Z'),
      to: at('2026-10-26T23:00:00Z'),
    });
    const month = presetSpan('month', now);
    expect(wholeSpan(month, 'month')).toEqual(month);
  });

  it('choose the aggregation that a chart can show', () => {
    const wide = (width: number) => aggregateFor({ from: 0, to: width });
    expect(wide(25 * HOUR)).toBe('raw');
    expect(wide(7 * DAY)).toBe('hour');
    expect(wide(31 * DAY)).toBe('day');
    expect(wide(366 * DAY)).toBe('day');
    expect(wide(5 * 365 * DAY)).toBe('month');
  });
});
