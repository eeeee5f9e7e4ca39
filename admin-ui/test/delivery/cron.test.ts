import { describe as suite, expect, it } from 'vitest';
import {
  describe,
  nextRuns,
  nextTimes,
  readCron,
  runs,
  type Cron,
  type CronPattern,
} from '@/pages/delivery/cron';
import texts from '@/locales/en/delivery.json';

function patterns(text: string): CronPattern[] {
  const cron: Cron = readCron(text);
  if ('fault' in cron) throw new Error(`${text}: ${cron.fault}`);
  return cron.patterns;
}

const next = (text: string, now: string, local = true, count = 3) =>
  nextTimes(patterns(text), local, Date.parse(now), count)?.map((at) =>
    new Date(at).toISOString().slice(0, 16),
  );

function say(key: string, values: Record<string, unknown> = {}): string {
  const text = key
    .split('.')
    .reduce<unknown>((tree, part) => (tree as Record<string, unknown>)[part], texts);
  return String(text).replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name]));
}
const words = (text: string) =>
  patterns(text)
    .map((one) => describe(one, 'en', say))
    .join('; ');

suite('readCron', () => {
  it.each([
    ['', 'fields'],
    ['0 3 * *', 'fields'],
    ['0 3 * * * *', 'fields'],
    ['60 3 * * *', 'minute'],
    ['?10 - 3 * * *', 'fields'],
    ['?40-10 3 * * *', 'minute'],
    ['-5 3 * * *', 'minute'],
    ['0 ?1-2 * * *', 'hour'],
    ['0 24 * * *', 'hour'],
    ['0 3-1 * * *', 'hour'],
    ['0 */0 * * *', 'hour'],
    ['0 5/2 * * *', 'hour'],
    ['0 1,,2 * * *', 'hour'],
    ['0 3 0 * *', 'day'],
    ['0 3 30 feb *', 'day'],
    ['0 3 * january *', 'month'],
    ['0 3 * * 8', 'weekday'],
    ['0 3 * * *|', 'fields'],
    [Array(9).fill('0 3 * * *').join('|'), 'patterns'],
  ])('refuses %j at the %s', (text, fault) => {
    expect(readCron(text)).toEqual({ fault });
  });

  it('knows names, ranges over Sunday and steps', () => {
    const [one] = patterns('*/20 8-10/2 1,15 JAN-mar fri-sun');
    expect(one).toMatchObject({
      minutes: [0, 20, 40],
      hours: [8, 10],
      days: [1, 15],
      months: [1, 2, 3],
      weekdays: [0, 5, 6],
    });
  });
});

suite('nextTimes', () => {
  it('goes by German time, or by UTC', () => {
    expect(next('0 3 * * *', '2026-07-01T00:00Z')).toEqual([
      '2026-07-01T01:00',
      '2026-07-02T01:00',
      '2026-07-03T01:00',
    ]);
    expect(next('0 3 * * *', '2026-07-01T03:00Z', false)?.[0]).toBe('2026-07-02T03:00');
  });

  it('gives a skipped hour at the end of the gap and a repeated one once', () => {
    expect(next('30 2 * * *', '2026-03-28T12:00Z')?.slice(0, 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
    expect(next('30 2 * * *', '2026-10-24T12:00Z')?.slice(0, 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  it('goes by real hours where the hour is *', () => {
    expect(next('30 * * * *', '2026-10-25T00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T01:30',
      '2026-10-25T02:30',
    ]);
    expect(next('*/15 * * * *', '2026-10-25T00:00Z', true, 5)).toEqual([
      '2026-10-25T00:15',
      '2026-10-25T00:30',
      '2026-10-25T00:45',
      '2026-10-25T01:00',
      '2026-10-25T01:15',
    ]);
  });

  it('takes a day that fits either day field, and both where one begins with *', () => {
    expect(next('0 0 1 * mon', '2026-06-01T12:00Z', false)).toEqual([
      '2026-06-08T00:00',
      '2026-06-15T00:00',
      '2026-06-22T00:00',
    ]);
    expect(next('0 0 */2 * mon', '2026-06-02T00:00Z', false)).toEqual([
      '2026-06-15T00:00',
      '2026-06-29T00:00',
      '2026-07-13T00:00',
    ]);
  });

  it('finds the next 29 February and gives one time once for joined patterns', () => {
    expect(next('0 0 29 2 *', '2026-01-01T00:00Z', false, 2)).toEqual([
      '2028-02-29T00:00',
      '2032-02-29T00:00',
    ]);
    expect(next('0 3 * * *|0 3,4 * * *', '2026-01-01T00:00Z', false, 2)).toEqual([
      '2026-01-01T03:00',
      '2026-01-01T04:00',
    ]);
  });

  it('says between which times a drawn minute is', () => {
    const spans = (text: string, now: string) =>
      nextRuns(patterns(text), true, Date.parse(now), 2).map(({ at, until }) =>
        [at, until].map((one) => new Date(one).toISOString().slice(0, 16)).join(' '),
      );
    expect(spans('?10-40 3 * * *', '2026-01-01T00:00Z')).toEqual([
      '2026-01-01T02:10 2026-01-01T02:40',
      '2026-01-02T02:10 2026-01-02T02:40',
    ]);
    // It may still come today.
    expect(spans('?10-40 3 * * *', '2026-01-01T02:20Z')[0]).toBe(
      '2026-01-01T02:10 2026-01-01T02:40',
    );
    expect(spans('?10-40 3 * * *|5 3 * * *', '2026-01-01T02:00Z')).toEqual([
      '2026-01-01T02:05 2026-01-01T02:05',
      '2026-01-01T02:10 2026-01-01T02:40',
    ]);
  });

  it('takes Sunday alone as one day', () => {
    for (const sunday of ['0', '7', 'sun', '0-0', 'sun-sun', '7-7', 'sun-sun,0'])
      expect(next(`0 0 * * ${sunday}`, '2026-05-01T00:00Z', false, 2)).toEqual([
        '2026-05-03T00:00',
        '2026-05-10T00:00',
      ]);
  });
});

suite('describe', () => {
  it.each([
    ['0 3 * * *', 'every day, at 03:00'],
    ['0 6,18 * * mon-fri', 'on Monday to Friday, at 06:00 and 18:00'],
    ['*/15 * * * *', 'every day, every 15 minutes'],
    ['* 8-17 * * *', 'every day, every minute, in the hours 8 to 17'],
    ['5 * * * *', 'every day, at minute 5 of each hour'],
    ['?10-40 3 * * *', 'every day, in the hour 3 at a drawn minute from 10 to 40'],
    ['30 4 1,15 jan,jul *', 'on day 1 and 15 of the month, at 04:30, only in January and July'],
    ['0 0 1 * mon', 'on day 1 of the month or on Monday, at 00:00'],
    ['0 0 */2 * mon', /and at the same time on Monday, at 00:00$/],
    ['0 0 1-31 * mon', 'every day, at 00:00'],
    ['0 3 * * 6-7', 'on Saturday and Sunday, at 03:00'],
  ])('says what %s means', (text, meaning) => {
    if (typeof meaning === 'string') expect(words(text)).toBe(meaning);
    else expect(words(text)).toMatch(meaning);
  });
});

suite('runs', () => {
  it('joins neighbours', () => {
    expect(runs([1, 2, 3, 5])).toEqual([
      [1, 3],
      [5, 5],
    ]);
    expect(runs([])).toEqual([]);
  });
});
