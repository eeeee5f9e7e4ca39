import { describe, expect, it } from 'vitest';
import { decimalText } from '@/components/measure/decimal';
import {
  aggregateCurve,
  columns,
  differences,
  findGaps,
  isRegister,
  mainChannel,
  pointAt,
  rawCurve,
  rawPoints,
  type AggregateReading,
  type RawReading,
} from '@/components/measure/series';

const MINUTE = 60_000;
const start = Date.parse('2026-11-20T00:00:00Z');
const raw = (minute: number, value: string, quality: RawReading['quality'] = 'measured') => ({
  ts: new Date(start + minute * MINUTE).toISOString(),
  value,
  quality,
});
const item = (hour: number, values: Partial<AggregateReading> = {}): AggregateReading => ({
  ts: new Date(start + hour * 60 * MINUTE).toISOString(),
  first: '1',
  last: '2',
  min: '1',
  max: '2',
  count: 4,
  delta: '1',
  ...values,
});

describe('readings', () => {
  it('that are no numbers or have no time are left out', () => {
    expect(rawPoints([raw(0, 'open'), raw(1, '5'), { ...raw(2, '6'), ts: 'soon' }])).toHaveLength(
      1,
    );
  });

  it('give exact differences with the worse quality of both ends', () => {
    const found = differences(
      rawPoints([raw(0, '0.1'), raw(15, '0.30'), raw(30, '0.31', 'substitute'), raw(45, '0.4')]),
    );
    expect(found.map(({ value }) => decimalText(value))).toEqual(['0.20', '0.01', '0.09']);
    expect(found.map(({ quality }) => quality)).toEqual(['measured', 'substitute', 'substitute']);
  });

  it('of a register that falls say nothing about the time between', () => {
    const { points, gaps } = rawCurve(
      [raw(0, '10'), raw(15, '11'), raw(30, '2'), raw(45, '3'), raw(60, '4')],
      true,
    );
    expect(points.map(({ value }) => decimalText(value))).toEqual(['1', '1', '1']);
    expect(gaps).toEqual([{ from: start + 15 * MINUTE, to: start + 30 * MINUTE }]);
  });
});

describe('gaps', () => {
  it('are found between values of a meter that is not punctual', () => {
    const points = rawPoints(
      [0, 14, 31, 45, 61, 180, 195].map((minute) => raw(minute, String(minute))),
    );
    expect(findGaps(points, 'raw')).toEqual([
      { from: start + 61 * MINUTE, to: start + 180 * MINUTE },
    ]);
  });

  it('are hours without values', () => {
    const { gaps } = aggregateCurve([item(0), item(1), item(5), item(6)], 'hour', true);
    expect(gaps).toEqual([{ from: start + 120 * MINUTE, to: start + 300 * MINUTE }]);
  });

  it('are none where a local day has 25 hours', () => {
    const days = ['2026-10-23T22:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'];
    const { gaps } = aggregateCurve(
      days.map((ts) => item(0, { ts })),
      'day',
      true,
    );
    expect(gaps).toEqual([]);
  });

  it('break the line and never become a long interval', () => {
    const values = [0, 15, 30, 45, 300, 315].map((minute) => raw(minute, String(minute)));
    const curve = rawCurve(values, true);
    expect(curve.points).toHaveLength(4);
    const [xs, ys] = columns(curve, 0);
    expect(ys.filter((y) => y === null)).toHaveLength(1);
    expect(xs).toEqual([...xs].sort((a, b) => a - b));
    expect(new Set(xs).size).toBe(xs.length);
  });
});

describe('aggregates', () => {
  it('of a register are what it counted, where that is known', () => {
    const curve = aggregateCurve(
      [item(0, { delta: '0.5' }), item(1, { delta: null })],
      'hour',
      true,
    );
    expect(curve.points.map(({ value }) => decimalText(value))).toEqual(['0.5']);
    expect(curve.points[0]?.min).toBeUndefined();
  });

  it('of a measured value keep its smallest and largest', () => {
    const [point] = aggregateCurve([item(0, { min: '-3', max: '8.5' })], 'hour', false).points;
    expect(point?.min && decimalText(point.min)).toBe('-3');
    expect(point?.max && decimalText(point.max)).toBe('8.5');
  });
});

describe('the value under the cursor', () => {
  const { points } = rawCurve([raw(0, '1'), raw(15, '2'), raw(30, '4')], false);
  it('is the nearest one', () => {
    expect(pointAt(points, start + 6 * MINUTE)?.at).toBe(start);
    expect(pointAt(points, start + 9 * MINUTE)?.at).toBe(start + 15 * MINUTE);
    expect(pointAt([], start)).toBeUndefined();
  });
  it('of intervals is the one that holds it', () => {
    const intervals = differences(points);
    expect(pointAt(intervals, start + 14 * MINUTE)?.at).toBe(start);
    expect(pointAt(intervals, start + 31 * MINUTE)).toBeUndefined();
    expect(pointAt(intervals, start - 1)).toBeUndefined();
  });
});

describe('channels', () => {
  const channel = (quantity: string, storage = 0, tariff = 0, kind = 'number') => ({
    kind,
    quantity,
    function: 'instantaneous',
    storage,
    tariff,
    subunit: 0,
  });
  it('a meter is known by its register of the present', () => {
    const list = [
      channel('date-time', 0, 0, 'text'),
      channel('energy', 1),
      channel('power'),
      channel('energy'),
    ];
    expect(mainChannel(list)).toBe(list[3]);
    expect(mainChannel([channel('status', 0, 0, 'state')])).toBeUndefined();
  });
  it('count up, or do not', () => {
    expect(isRegister(channel('energy'))).toBe(true);
    expect(isRegister(channel('energy', 1))).toBe(false);
    expect(isRegister(channel('power'))).toBe(false);
  });
});
