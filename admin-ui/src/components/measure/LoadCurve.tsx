import {
  ActionIcon,
  Alert,
  Button,
  Group,
  Loader,
  SegmentedControl,
  Stack,
  Text,
  useComputedColorScheme,
} from '@mantine/core';
import { keepPreviousData, useQueries } from '@tanstack/react-query';
import { Suspense, lazy, useCallback, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';
import { EmptyState } from '@/components/EmptyState';
import { ProblemAlert } from '@/components/ProblemAlert';
import { formatTime } from '@/lib/time';
import { useTenant } from '@/session/context';
import { fileName, saveBlob } from './download';
import { channelLabel } from './labels';
import {
  AGGREGATES,
  DAY,
  PRESETS,
  aggregateFor,
  dayText,
  localMidnight,
  localParts,
  neighbour,
  presetSpan,
  type Aggregate,
  type Preset,
  type Span,
} from './localTime';
import { formatValue, scaleFor, toPixelNumber, type Scale } from './decimal';
import type { PlotBand, PlotMark, PlotSeries } from './Plot';
import { ReadingTable } from './ReadingTable';
import { readingsCsv, readingsQuery, READINGS_MAX } from './readings';
import {
  aggregateCurve,
  columns,
  isRegister,
  largest,
  pointAt,
  rawCurve,
  type Curve,
  type Quality,
} from './series';
import classes from './measure.module.css';

const Plot = lazy(() => import('./Plot'));

type Channel = Schemas['Channel'];

/** Curves that can be told apart, by colour and by stroke. */
export const CURVES_MAX = 4;
const STROKES: (number[] | undefined)[] = [undefined, [8, 4], [2, 3], [10, 3, 2, 3]];
const PALETTE = {
  light: ['#0b6875', '#b3400f', '#5f3dc4', '#2b7a2b'],
  dark: ['#4fc3d1', '#ffa35c', '#b9a2ff', '#7ddb7d'],
};
const CHROME = {
  light: { text: '#51585e', grid: '#e3e8ea', gap: '#c3ccd0', mark: '#8a1f1f' },
  dark: { text: '#a9b1b8', grid: '#31383d', gap: '#4a545b', mark: '#ff9a9a' },
};
export const SIGNS: Record<Exclude<Quality, 'measured'>, PlotMark['sign']> = {
  substitute: 'triangle',
  estimated: 'square',
  provisional: 'circle',
  invalid: 'cross',
  corrected: 'diamond',
};
const SIGN_TEXT: Record<PlotMark['sign'], string> = {
  triangle: '△',
  square: '□',
  circle: '○',
  cross: '×',
  diamond: '◇',
};

type Mode = 'values' | 'consumption';

/** The seven local days up to the one of the newest value. */
export function firstSpan(newest: number | undefined, now: number): Span {
  const { year, month, day } = localParts(newest ?? now);
  return { from: localMidnight(year, month, day - 6), to: localMidnight(year, month, day + 1) };
}

function curveMarks(curve: Curve, power: number): PlotMark[] {
  const marks: PlotMark[] = [];
  for (const { at, end, value, quality } of curve.points)
    if (quality && quality !== 'measured')
      marks.push({
        x: (end === undefined ? at : (at + end) / 2) / 1000,
        y: toPixelNumber(value) / 10 ** power,
        sign: SIGNS[quality],
      });
  return marks;
}

function curveBand(curve: Curve, power: number): PlotBand | null {
  const band: PlotBand = { x: [], min: [], max: [] };
  const gapFrom = new Set(curve.gaps.map(({ from }) => from));
  for (const { at, end, min, max } of curve.points) {
    if (!min || !max) continue;
    band.x.push(at / 1000);
    band.min.push(toPixelNumber(min) / 10 ** power);
    band.max.push(toPixelNumber(max) / 10 ** power);
    if (end !== undefined && gapFrom.has(end)) {
      band.x.push(at / 1000 + 0.001);
      band.min.push(null);
      band.max.push(null);
    }
  }
  return band.x.length > 1 ? band : null;
}

interface Props {
  /** of one unit, at most CURVES_MAX, at least one */
  channels: Channel[];
  device: string;
  /** ms of the newest value, where the first span ends */
  newest: number | undefined;
  now: number;
}

export function LoadCurve({ channels, device, newest, now }: Props) {
  const { t, i18n } = useTranslation('measure');
  const language = i18n.language;
  const { tenant } = useTenant();
  const scheme = useComputedColorScheme('light');
  const helpId = useId();
  const home = useMemo(() => firstSpan(newest, now), [newest, now]);
  const [chosen, setChosen] = useState<Span | null>(null);
  const span = chosen ?? home;
  const [wanted, setWanted] = useState<Aggregate | 'auto'>('auto');
  const aggregate = wanted === 'auto' ? aggregateFor(span) : wanted;
  const registers = channels.every(isRegister);
  const [mode, setMode] = useState<Mode>('consumption');
  const counted = registers && mode === 'consumption';
  const [cursor, setCursor] = useState<number | null>(null);
  const [tableChannel, setTableChannel] = useState<string | null>(null);
  const [csvError, setCsvError] = useState<unknown>(null);
  const [saving, setSaving] = useState(false);

  const answers = useQueries({
    queries: channels.map(({ id }) => ({
      ...readingsQuery(tenant, id, span, aggregate),
      placeholderData: keepPreviousData,
    })),
    combine: (list) => ({
      data: list.map(({ data }) => data),
      fetching: list.some(({ isFetching }) => isFetching),
      error: list.find(({ error }) => error)?.error ?? null,
      retry: () => list.forEach(({ refetch }) => void refetch()),
    }),
  });
  const { data } = answers;

  const curves = useMemo(
    () =>
      data.map((readings): Curve => {
        if (!readings) return { points: [], gaps: [] };
        return readings.aggregate === 'raw'
          ? rawCurve(readings.raw, counted)
          : aggregateCurve(readings.items, readings.aggregate, counted);
      }),
    [data, counted],
  );
  const unit = channels[0]?.unit ?? null;
  const scale: Scale = useMemo(
    () => scaleFor(unit, Math.max(0, ...curves.map(({ points }) => largest(points)))),
    [unit, curves],
  );
  const palette = PALETTE[scheme];
  const series = useMemo(
    () =>
      channels.map((channel, index): PlotSeries => ({
        label: channelLabel(t, channel),
        color: palette[index] ?? palette[0] ?? '#0b6875',
        ...(STROKES[index] ? { dash: STROKES[index] } : {}),
        data: columns(curves[index] ?? { points: [], gaps: [] }, scale.power),
        marks: curveMarks(curves[index] ?? { points: [], gaps: [] }, scale.power),
      })),
    [channels, curves, scale, palette, t],
  );
  const shown = useMemo(
    () =>
      curves.map(({ points, gaps }) => ({
        points: points.filter(({ at, end }) => at < span.to && (end ?? at + 1) > span.from),
        gaps: gaps.filter(({ from, to }) => from < span.to && to > span.from),
      })),
    [curves, span],
  );
  const band = useMemo(
    () =>
      curves.length === 1 && curves[0] && !registers ? curveBand(curves[0], scale.power) : null,
    [curves, registers, scale],
  );
  const gaps = useMemo(() => shown.flatMap((curve) => curve.gaps), [shown]);

  const go = useCallback((next: Span) => setChosen(next), []);
  const reset = useCallback(() => setChosen(null), []);
  const preset = (name: Preset) => {
    const at = now >= span.from && now < span.to ? now : Math.min(span.to - 1, now);
    setChosen(presetSpan(name, at));
  };
  const activePreset = PRESETS.find((name) => {
    const whole = presetSpan(name, span.from);
    return whole.from === span.from && whole.to === span.to;
  });
  const inTable = Math.max(
    0,
    channels.findIndex(({ id }) => String(id) === tableChannel),
  );
  const tableOf = channels[inTable];
  const truncated = data.some((readings) => readings?.truncated);
  const empty = shown.every(({ points }) => points.length === 0);
  const first = data.some((readings) => readings === undefined);

  const download = async () => {
    if (!tableOf) return;
    setSaving(true);
    setCsvError(null);
    try {
      const blob = await readingsCsv(tenant, tableOf.id, span, aggregate);
      const name = fileName(
        device,
        tableOf.obis ?? tableOf.quantity,
        dayText(span.from),
        aggregate,
      );
      saveBlob(blob, `${name}.csv`);
    } catch (failure) {
      setCsvError(failure);
    } finally {
      setSaving(false);
    }
  };

  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <Group gap={6}>
          <ActionIcon
            variant="default"
            size="md"
            aria-label={t('curve.earlier')}
            title={t('curve.earlier')}
            onClick={() => go(neighbour(span, -1))}
          >
            ‹
          </ActionIcon>
          <ActionIcon
            variant="default"
            size="md"
            aria-label={t('curve.later')}
            title={t('curve.later')}
            onClick={() => go(neighbour(span, 1))}
          >
            ›
          </ActionIcon>
          <Group gap={4} role="group" aria-label={t('curve.span')}>
            {PRESETS.map((name) => (
              <Button
                key={name}
                size="compact-sm"
                variant={activePreset === name ? 'filled' : 'default'}
                aria-pressed={activePreset === name}
                onClick={() => preset(name)}
              >
                {t(`curve.preset.${name}`)}
              </Button>
            ))}
            <Button size="compact-sm" variant="default" onClick={reset} disabled={chosen === null}>
              {t('curve.reset')}
            </Button>
          </Group>
          <Text size="sm" fw={600} ml={4} aria-live="polite">
            {spanText(span, language)}
          </Text>
          {answers.fetching && <Loader size={14} aria-label={t('common:loading')} />}
        </Group>
        <Group gap={6}>
          {registers && (
            <SegmentedControl
              size="xs"
              aria-label={t('curve.mode')}
              value={mode}
              onChange={(value) => setMode(value as Mode)}
              data={[
                { value: 'consumption', label: t('curve.consumption') },
                { value: 'values', label: t('curve.values') },
              ]}
            />
          )}
          <SegmentedControl
            size="xs"
            aria-label={t('curve.aggregate')}
            value={wanted}
            onChange={(value) => setWanted(value as Aggregate | 'auto')}
            data={[
              {
                value: 'auto',
                label: t('curve.auto', { chosen: t(`aggregate.${aggregateFor(span)}`) }),
              },
              ...AGGREGATES.map((value) => ({ value, label: t(`aggregate.${value}`) })),
            ]}
          />
          <Button
            size="compact-sm"
            variant="default"
            loading={saving}
            onClick={() => void download()}
          >
            {t('curve.csv')}
          </Button>
        </Group>
      </Group>
      <ProblemAlert error={answers.error} retry={answers.retry} />
      <ProblemAlert error={csvError} />
      {truncated && (
        <Alert color="orange" title={t('curve.truncatedTitle', { count: READINGS_MAX })}>
          <Text size="sm">{t('curve.truncated')}</Text>
        </Alert>
      )}
      <div className={classes.split}>
        <Stack gap={6} miw={0}>
          <Readout
            channels={channels}
            series={series}
            curves={shown}
            scale={scale}
            cursor={cursor}
            language={language}
          />
          <Suspense fallback={<div className={classes.plot} />}>
            <Plot
              series={series}
              band={band}
              gaps={gaps}
              stepped={counted}
              span={span}
              unit={scale.unit}
              language={language}
              label={t('curve.label', { unit: scale.unit, span: spanText(span, language) })}
              describedBy={helpId}
              colors={CHROME[scheme]}
              onSpan={go}
              onReset={reset}
              onCursor={setCursor}
            />
          </Suspense>
          <Legend curves={shown} band={band !== null} />
          <Text size="xs" c="var(--emt-dimmed)" id={helpId}>
            {t('curve.help')}
          </Text>
        </Stack>
        <Stack gap={6} miw={0}>
          {channels.length > 1 && (
            <SegmentedControl
              size="xs"
              aria-label={t('curve.tableOf')}
              value={String(tableOf?.id ?? '')}
              onChange={setTableChannel}
              data={channels.map((channel) => ({
                value: String(channel.id),
                label: channel.obis ?? channelLabel(t, channel),
              }))}
            />
          )}
          {empty && !first ? (
            <EmptyState title={t('curve.emptyTitle')} text={t('curve.empty')}>
              {chosen !== null && (
                <Button size="xs" variant="default" onClick={reset}>
                  {t('curve.reset')}
                </Button>
              )}
            </EmptyState>
          ) : (
            <ReadingTable
              label={t('curve.table')}
              points={shown[inTable]?.points ?? []}
              aggregate={aggregate}
              counted={counted}
              register={registers}
              scale={scale}
            />
          )}
        </Stack>
      </div>
    </Stack>
  );
}

function spanText({ from, to }: Span, language: string): string {
  const whole = [from, to].every((at) => {
    const { hour, minute, second } = localParts(at);
    return hour === 0 && minute === 0 && second === 0;
  });
  const style = whole ? 'day' : 'minute';
  const first = formatTime(new Date(from).toISOString(), language, style);
  const last = formatTime(new Date(whole ? to - DAY / 2 : to).toISOString(), language, style);
  return first === last ? first : `${first} – ${last}`;
}

function Readout({
  channels,
  series,
  curves,
  scale,
  cursor,
  language,
}: {
  channels: Channel[];
  series: PlotSeries[];
  curves: Curve[];
  scale: Scale;
  cursor: number | null;
  language: string;
}) {
  return (
    <Group gap="lg" mih={24}>
      {channels.map((channel, index) => {
        const point = cursor === null ? undefined : pointAt(curves[index]?.points ?? [], cursor);
        return (
          <Group key={channel.id} gap={6} wrap="nowrap">
            <span
              className={classes.sample}
              style={{
                borderTopColor: series[index]?.color,
                borderTopStyle: STROKES[index] ? 'dashed' : 'solid',
              }}
            />
            <Text size="sm">
              {series[index]?.label}
              {channel.obis ? ` (${channel.obis})` : ''}
            </Text>
            {point && (
              <Text size="sm" fw={600}>
                {formatValue(point.value, scale, language)}
                {' · '}
                {formatTime(new Date(point.at).toISOString(), language)}
              </Text>
            )}
          </Group>
        );
      })}
    </Group>
  );
}

/** Only what is on the chart: marks of qualities, the band, gaps. */
function Legend({ curves, band }: { curves: Curve[]; band: boolean }) {
  const { t } = useTranslation('measure');
  const counts = new Map<Quality, number>();
  for (const { points } of curves)
    for (const { quality } of points)
      if (quality) counts.set(quality, (counts.get(quality) ?? 0) + 1);
  const missing = curves.reduce((total, { gaps }) => total + gaps.length, 0);
  const texts = [...counts]
    .filter(([quality]) => quality !== 'measured')
    .map(([quality, count]) => {
      const sign = SIGN_TEXT[SIGNS[quality as Exclude<Quality, 'measured'>]];
      return `${sign} ${t(`quality.${quality}`)}: ${count}`;
    });
  const measured = counts.get('measured');
  if (measured) texts.unshift(`${t('quality.measured')}: ${measured}`);
  if (band) texts.push(t('curve.band'));
  if (missing > 0) texts.push(t('curve.gaps', { count: missing }));
  return (
    <Text size="xs" mih={18}>
      {texts.join(' · ')}
    </Text>
  );
}
