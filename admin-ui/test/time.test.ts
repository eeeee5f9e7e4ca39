import { describe, expect, it } from 'vitest';
import { dayEnd, dayStart } from '@/lib/days';
import { formatAgo, formatDuration, formatTime } from '@/lib/time';

describe('formatTime', () => {
  it('shows German legal time in summer and winter', () => {
    expect(formatTime('2026-07-01T22:30:00Z', 'de')).toBe('02.07.2026, 00:30');
    expect(formatTime('2026-12-01T22:30:05Z', 'de', 'second')).toBe('01.12.2026, 23:30:05');
    expect(formatTime('2026-12-01T22:30:00Z', 'en')).toBe('01/12/2026, 23:30');
  });

  it('shows nothing for nothing and what is no time as it is', () => {
    expect(formatTime(null, 'de')).toBe('');
    expect(formatTime('soon', 'de')).toBe('soon');
  });
});

describe('formatAgo and formatDuration', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');

  it('take the largest unit that fits', () => {
    expect(formatAgo('2026-11-21T11:57:00Z', now, 'de')).toBe('vor 3 Minuten');
    expect(formatAgo('2026-11-21T14:10:00Z', now, 'en')).toBe('in 2 hours');
    expect(formatAgo('2026-11-21T12:00:00Z', now, 'de')).toBe('jetzt');
  });

  it('name the two largest parts', () => {
    expect(formatDuration(0, 'de')).toBe('0\u00a0s');
    expect(formatDuration(125, 'de')).toBe('2\u00a0min 5\u00a0s');
    expect(formatDuration(90_000, 'de')).toBe('1\u00a0T 1\u00a0h');
  });
});

describe('German days', () => {
  it('begin at midnight in Berlin, and one is 23 hours long', () => {
    expect(dayStart('2026-03-29')).toBe('2026-03-28T23:00:00.000Z');
    expect(dayEnd('2026-03-29')).toBe('2026-03-29T22:00:00.000Z');
  });

  it('are nothing when they are no day', () => {
    expect(dayStart('yesterday')).toBeUndefined();
    expect(dayEnd(undefined)).toBeUndefined();
  });
});
