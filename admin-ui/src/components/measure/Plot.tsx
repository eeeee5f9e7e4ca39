// The canvas of the load curve. Knows nothing of channels or the API: columns in, spans out. Lazy:
// uPlot lives in this chunk.
import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { ZONE } from '@/lib/time';
import { DAY, HOUR, type Span } from './localTime';
import classes from './measure.module.css';

export interface PlotMark {
  x: number; // s
  y: number;
  /** a sign of its own for each quality, so that colour is not all there is */
  sign: 'triangle' | 'square' | 'circle' | 'cross' | 'diamond';
}

export interface PlotSeries {
  label: string;
  color: string;
  dash?: number[];
  data: [number[], (number | null)[]];
  marks: PlotMark[];
}

export interface PlotBand {
  x: number[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface PlotProps {
  series: PlotSeries[];
  band: PlotBand | null;
  gaps: Span[];
  /** intervals: drawn as steps from zero */
  stepped: boolean;
  span: Span;
  unit: string;
  language: string;
  label: string;
  describedBy: string;
  colors: { text: string; grid: string; gap: string; mark: string };
  onSpan: (span: Span) => void;
  onReset: () => void;
  /** ms under the cursor, null when it left */
  onCursor: (at: number | null) => void;
  height?: number;
}

export const NARROWEST = 10 * 60_000;
export const WIDEST = 12 * 366 * DAY;

/** Kept within what makes sense to ask for. */
export function clampSpan({ from, to }: Span): Span {
  const middle = (from + to) / 2;
  const width = Math.min(Math.max(to - from, NARROWEST), WIDEST);
  return width === to - from
    ? { from, to }
    : { from: Math.round(middle - width / 2), to: Math.round(middle + width / 2) };
}

export function zoomed({ from, to }: Span, factor: number, around: number): Span {
  return clampSpan({
    from: Math.round(around - (around - from) * factor),
    to: Math.round(around + (to - around) * factor),
  });
}

function timeLabels(language: string) {
  const locale = language === 'en' ? 'en-GB' : 'de-DE';
  const format = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: ZONE, hour12: false, ...options });
  const clock = format({ hour: '2-digit', minute: '2-digit' });
  const day = format({ day: '2-digit', month: '2-digit' });
  const month = format({ month: 'short', year: 'numeric' });
  const weekday = format({ weekday: 'short', day: '2-digit', month: '2-digit' });
  return (_: uPlot, splits: number[], __: number, ___: number, step: number): string[] => {
    let shown = '';
    return splits.map((seconds) => {
      const at = seconds * 1000;
      if (step * 1000 >= 27 * DAY) return month.format(at);
      if (step * 1000 >= DAY - HOUR) return (step * 1000 < 3 * DAY ? weekday : day).format(at);
      // The day stands under its first time of day.
      const today = day.format(at);
      const text = today === shown ? clock.format(at) : `${clock.format(at)}\n${today}`;
      shown = today;
      return text;
    });
  };
}

function drawGaps(u: uPlot, gaps: Span[], color: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  for (const { from, to } of gaps) {
    const left = u.valToPos(from / 1000, 'x', true);
    const right = u.valToPos(to / 1000, 'x', true);
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.beginPath();
    const start = Math.max(left, bbox.left) - bbox.height;
    const end = Math.min(right, bbox.left + bbox.width);
    const spacing = 8 * devicePixelRatio;
    for (let x = Math.floor(start / spacing) * spacing; x < end; x += spacing) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

function drawMark(ctx: CanvasRenderingContext2D, sign: PlotMark['sign'], x: number, y: number) {
  const r = 4.5 * devicePixelRatio;
  ctx.beginPath();
  switch (sign) {
    case 'triangle':
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.lineTo(x - r, y + r);
      ctx.closePath();
      break;
    case 'square':
      ctx.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7);
      break;
    case 'circle':
      ctx.arc(x, y, r, 0, Math.PI * 2);
      break;
    case 'diamond':
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y);
      ctx.lineTo(x, y + r);
      ctx.lineTo(x - r, y);
      ctx.closePath();
      break;
    case 'cross':
      ctx.moveTo(x - r, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.moveTo(x + r, y - r);
      ctx.lineTo(x - r, y + r);
      break;
  }
  ctx.stroke();
}

function drawMarks(u: uPlot, series: PlotSeries[], color: string): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const { marks } of series)
    for (const { x, y, sign } of marks) {
      const left = u.valToPos(x, 'x', true);
      const top = u.valToPos(y, 'y', true);
      if (left >= bbox.left && left <= bbox.left + bbox.width) drawMark(ctx, sign, left, top);
    }
  ctx.restore();
}

function tables({ series, band }: PlotProps): uPlot.AlignedData {
  const parts: uPlot.AlignedData[] = series.map(({ data }) => data);
  if (band) parts.push([band.x, band.max, band.min]);
  if (parts.length === 0) return [[], []];
  return uPlot.join(
    parts,
    // null: a gap, kept. What another curve has no point for does not break the line.
    parts.map((part) => part.map(() => 1 as const)),
  );
}

function options(props: PlotProps, width: number, live: { current: PlotProps }): uPlot.Options {
  const { series, band, stepped, unit, language, colors, span } = props;
  const steps = uPlot.paths.stepped?.({ align: 1 });
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 6 });
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    stroke: colors.text,
    font,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { stroke: colors.grid, width: 1, size: 5 },
  };
  return {
    width,
    height: props.height ?? 340,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ZONE),
    legend: { show: false },
    padding: [12, 32, 0, 0],
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 7 },
      y: false,
    },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: true, auto: false, min: span.from / 1000, max: span.to / 1000 },
      y: {
        range: (_, low, high) => {
          if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
          if (stepped) return [Math.min(0, low), high > 0 ? high * 1.08 : 1];
          const room = (high - low || Math.abs(high) * 0.02 || 1) * 0.08;
          return [low - room, high + room];
        },
      },
    },
    series: [
      {},
      ...series.map(({ label, color, dash, data }, index): uPlot.Series => ({
        label,
        stroke: color,
        width: 1.75,
        spanGaps: false,
        ...(dash ? { dash } : {}),
        ...(stepped && steps ? { paths: steps } : {}),
        ...(stepped && index === 0 && series.length === 1 ? { fill: `${color}2e` } : {}),
        points: { show: !stepped && data[0].length < 60, size: 5, fill: color },
      })),
      ...(band
        ? [
            { label: 'max', stroke: 'transparent', width: 0, points: { show: false } },
            { label: 'min', stroke: 'transparent', width: 0, points: { show: false } },
          ]
        : []),
    ],
    ...(band
      ? {
          bands: [
            {
              series: [series.length + 1, series.length + 2] as [number, number],
              fill: `${series[0]?.color ?? '#888888'}33`,
            },
          ],
        }
      : {}),
    axes: [
      { ...axis, values: timeLabels(language), space: 64, size: 44 },
      {
        ...axis,
        label: unit,
        labelSize: 18,
        labelFont: font,
        size: (u, values) => {
          const longest = (values ?? []).reduce((a, b) => (b.length > a.length ? b : a), '');
          u.ctx.font = `${12 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
          return Math.ceil(u.ctx.measureText(longest).width / devicePixelRatio) + 16;
        },
        values: (_, splits) => splits.map((value) => number.format(value)),
      },
    ],
    hooks: {
      drawAxes: [(u) => drawGaps(u, live.current.gaps, live.current.colors.gap)],
      draw: [(u) => drawMarks(u, live.current.series, live.current.colors.mark)],
      setCursor: [
        (u) => {
          const { left = -1 } = u.cursor;
          live.current.onCursor(left < 0 ? null : u.posToVal(left, 'x') * 1000);
        },
      ],
      setSelect: [
        (u) => {
          const { left, width: chosen } = u.select;
          if (chosen < 6) return;
          const from = Math.round(u.posToVal(left, 'x') * 1000);
          const to = Math.round(u.posToVal(left + chosen, 'x') * 1000);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          live.current.onSpan(clampSpan({ from, to }));
        },
      ],
    },
  };
}

/** The wheel zooms around the cursor at once; what is drawn in the end is asked for when it rests. */
const WHEEL_REST_MS = 180;

export default function Plot(props: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const live = useRef(props);
  useLayoutEffect(() => {
    live.current = props;
  });

  // A chart of some hundred points is made in a millisecond: made anew for whatever changes.
  const { series, band, gaps, stepped, unit, language, colors, span, height } = props;
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = new uPlot(
      options(live.current, element.clientWidth || 600, live),
      tables(live.current),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height: made.height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [series, band, gaps, stepped, unit, language, colors, span, height]);

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    let rest: ReturnType<typeof setTimeout> | undefined;
    const wheel = (event: WheelEvent) => {
      const u = plot.current;
      // Shift, Alt and Meta stay the browser's own.
      if (!u || event.shiftKey || event.altKey || event.metaKey || event.deltaY === 0) return;
      event.preventDefault();
      const box = u.over.getBoundingClientRect();
      const around = u.posToVal(Math.min(Math.max(event.clientX - box.left, 0), box.width), 'x');
      const { min = 0, max = 0 } = u.scales.x ?? {};
      const next = zoomed(
        { from: (min ?? 0) * 1000, to: (max ?? 0) * 1000 },
        event.deltaY > 0 ? 1.25 : 0.8,
        around * 1000,
      );
      u.setScale('x', { min: next.from / 1000, max: next.to / 1000 });
      clearTimeout(rest);
      rest = setTimeout(() => live.current.onSpan(next), WHEEL_REST_MS);
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      clearTimeout(rest);
      element.removeEventListener('wheel', wheel);
    };
  }, []);

  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { span: shown, onSpan, onReset } = props;
    const middle = (shown.from + shown.to) / 2;
    const step = Math.round((shown.to - shown.from) / 4);
    const moves: Record<string, () => void> = {
      ArrowLeft: () => onSpan({ from: shown.from - step, to: shown.to - step }),
      ArrowRight: () => onSpan({ from: shown.from + step, to: shown.to + step }),
      '+': () => onSpan(zoomed(shown, 0.5, middle)),
      '=': () => onSpan(zoomed(shown, 0.5, middle)),
      '-': () => onSpan(zoomed(shown, 2, middle)),
      '0': onReset,
      Home: onReset,
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  return (
    <div
      ref={host}
      className={classes.plot}
      role="application"
      aria-roledescription={props.label}
      aria-label={props.label}
      aria-describedby={props.describedBy}
      tabIndex={0}
      onKeyDown={key}
      onDoubleClick={props.onReset}
    />
  );
}
