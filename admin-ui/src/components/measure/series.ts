// What becomes of readings on their way to the chart and the table: points with their exact value,
// differences of a register, gaps.
import { parseDecimal, subtract, toPixelNumber, type Decimal } from './decimal';
import { DAY, HOUR, type Aggregate, type Span } from './localTime';

export type Quality =
  'measured' | 'substitute' | 'estimated' | 'provisional' | 'invalid' | 'corrected';

export interface RawReading {
  ts: string;
  value: string;
  quality: Quality;
}

export interface AggregateReading {
  ts: string;
  first: string;
  last: string;
  min: string;
  max: string;
  count: number;
  delta: string | null;
}

export interface Point {
  /** ms; of an interval its beginning */
  at: number;
  /** of an interval, exclusive */
  end?: number;
  value: Decimal;
  quality?: Quality;
  min?: Decimal;
  max?: Decimal;
  count?: number;
}

/** Readings that are numbers, ascending; texts and what cannot be read are left out. */
export function rawPoints(readings: readonly RawReading[]): Point[] {
  const points: Point[] = [];
  for (const { ts, value, quality } of readings) {
    const at = Date.parse(ts);
    const decimal = parseDecimal(value);
    if (decimal && !Number.isNaN(at)) points.push({ at, value: decimal, quality });
  }
  return points;
}

const worse = (a: Quality | undefined, b: Quality | undefined): Quality | undefined =>
  a === undefined || a === 'measured' ? b : a;

/** What a register counted between one reading and the next. A register that falls (exchange,
 * roll-over) says nothing about the time between: left out, and so shown as a gap. */
export function differences(points: readonly Point[]): Point[] {
  const found: Point[] = [];
  for (let i = 1; i < points.length; i++) {
    const before = points[i - 1];
    const after = points[i];
    if (!before || !after) continue;
    const value = subtract(after.value, before.value);
    if (value.mantissa < 0n) continue;
    const quality = worse(after.quality, before.quality);
    found.push({ at: before.at, end: after.at, value, ...(quality ? { quality } : {}) });
  }
  return found;
}

const NEXT: Record<Exclude<Aggregate, 'raw'>, number> = {
  hour: HOUR,
  day: 25 * HOUR, // the longest day, in October
  month: 31 * DAY + HOUR,
};

/** One point per hour, day or month: its last value, or what was counted in it. */
export function aggregatePoints(
  items: readonly AggregateReading[],
  aggregate: Exclude<Aggregate, 'raw'>,
  counted: boolean,
): Point[] {
  const points: Point[] = [];
  items.forEach((item, index) => {
    const at = Date.parse(item.ts);
    const value = parseDecimal(counted ? (item.delta ?? '') : item.last);
    if (!value || Number.isNaN(at)) return;
    const following = Date.parse(items[index + 1]?.ts ?? '');
    const longest = at + NEXT[aggregate];
    const end = following <= longest ? following : longest;
    const point: Point = { at, end, value, count: item.count };
    const min = parseDecimal(item.min);
    const max = parseDecimal(item.max);
    if (!counted && min && max) Object.assign(point, { min, max });
    points.push(point);
  });
  return points;
}

/** The time that usually lies between two values, in ms; undefined below three values. */
export function usualStep(points: readonly Point[]): number | undefined {
  const steps: number[] = [];
  for (let i = 1; i < points.length; i++) {
    const step = (points[i]?.at ?? 0) - (points[i - 1]?.at ?? 0);
    if (step > 0) steps.push(step);
  }
  if (steps.length < 2) return undefined;
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)];
}

/** Meters do not send on the second: a value is missing when two and a half steps went by. */
const GAP_STEPS = 2.5;

export function findGaps(points: readonly Point[], aggregate: Aggregate): Span[] {
  const gaps: Span[] = [];
  const step = aggregate === 'raw' ? usualStep(points) : NEXT[aggregate];
  if (step === undefined) return gaps;
  const longest = aggregate === 'raw' ? step * GAP_STEPS : step;
  for (let i = 1; i < points.length; i++) {
    const before = points[i - 1];
    const after = points[i];
    if (!before || !after) continue;
    if (after.at - before.at > longest)
      gaps.push({
        from: aggregate === 'raw' ? before.at : (before.end ?? before.at),
        to: after.at,
      });
  }
  return gaps;
}

/** Differences across a gap are one long interval; they are drawn as a gap, not as a plateau. */
export function cutLong(points: readonly Point[]): { points: Point[]; gaps: Span[] } {
  const widths = points.map(({ at, end = at }) => end - at).sort((a, b) => a - b);
  const usual = widths[Math.floor(widths.length / 2)] ?? 0;
  const gaps: Span[] = [];
  const kept: Point[] = [];
  points.forEach((point, index) => {
    const { at, end = at } = point;
    const before = points[index - 1];
    if (before?.end !== undefined && at > before.end) gaps.push({ from: before.end, to: at });
    if (points.length > 2 && end - at > usual * GAP_STEPS) gaps.push({ from: at, to: end });
    else kept.push(point);
  });
  return { points: kept, gaps };
}

export interface Curve {
  points: Point[];
  gaps: Span[];
}

export function rawCurve(readings: readonly RawReading[], counted: boolean): Curve {
  const points = rawPoints(readings);
  if (!counted) return { points, gaps: findGaps(points, 'raw') };
  return cutLong(differences(points));
}

export function aggregateCurve(
  items: readonly AggregateReading[],
  aggregate: Exclude<Aggregate, 'raw'>,
  counted: boolean,
): Curve {
  const points = aggregatePoints(items, aggregate, counted);
  return { points, gaps: findGaps(points, aggregate) };
}

/** Columns for the chart: null breaks the line, x in seconds. Intervals are drawn as steps, so each
 * ends with a point of its own where nothing follows at once. */
export function columns(curve: Curve, power: number): [number[], (number | null)[]] {
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  const gapAfter = new Set(curve.gaps.map(({ from }) => from));
  const put = (at: number, y: number | null) => {
    xs.push(at / 1000);
    ys.push(y);
  };
  curve.points.forEach(({ at, end, value }, index) => {
    const y = toPixelNumber(value) / 10 ** power;
    put(at, y);
    const following = curve.points[index + 1]?.at;
    if (end !== undefined && following !== end) {
      put(end, y);
      if (following !== undefined) put(end + 1, null);
    } else if (end === undefined && gapAfter.has(at)) {
      put(at + 1, null);
    }
  });
  return [xs, ys];
}

/** The point at or nearest to the instant: the interval that holds it, else the closest value. */
export function pointAt(points: readonly Point[], at: number): Point | undefined {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.at ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  const after = points[low];
  if (before?.end !== undefined) return at < before.end ? before : undefined;
  if (!before || !after) return before ?? (after?.end === undefined ? after : undefined);
  return at - before.at <= after.at - at ? before : after;
}

export function largest(points: readonly Point[]): number {
  let found = 0;
  for (const { value, max } of points)
    found = Math.max(found, Math.abs(toPixelNumber(max ?? value)));
  return found;
}

const COUNTED = new Set(['energy', 'reactive-energy', 'apparent-energy', 'volume', 'mass', 'hca']);

export interface ChannelFacts {
  kind: string;
  quantity: string;
  function: string;
  storage: number;
}

/** A register that counts up: its differences are the consumption. */
export function isRegister(channel: ChannelFacts): boolean {
  return (
    channel.kind === 'number' &&
    COUNTED.has(channel.quantity) &&
    channel.function === 'instantaneous' &&
    channel.storage === 0
  );
}

const FIRST = [
  'energy',
  'volume',
  'hca',
  'external-temperature',
  'temperature',
  'humidity',
  'power',
  'volume-flow',
];

export interface RegisterFacts extends ChannelFacts {
  tariff: number;
  subunit: number;
}

/** Small for what one looks at first: values of the present before kept ones, numbers before texts. */
function weight(c: RegisterFacts): number {
  const place = FIRST.indexOf(c.quantity);
  return (
    (place < 0 ? FIRST.length : place) +
    (c.kind === 'number' ? 0 : 1000) +
    (c.storage !== 0 || c.function !== 'instantaneous' ? 100 : 0) +
    (c.tariff !== 0 ? 20 : 0) +
    (c.subunit !== 0 ? 20 : 0)
  );
}

/** In the order in which one looks at them; equals stay as they were, kept values by storage. */
export function inOrder<C extends RegisterFacts>(channels: readonly C[]): C[] {
  return [...channels].sort((a, b) => weight(a) - weight(b) || a.storage - b.storage);
}

/** Which channel a meter is known by: its register of the present, else its first measured value. */
export function mainChannel<C extends RegisterFacts>(channels: readonly C[]): C | undefined {
  return channels
    .filter(({ kind }) => kind === 'number')
    .reduce<C | undefined>((best, c) => (best && weight(best) <= weight(c) ? best : c), undefined);
}
