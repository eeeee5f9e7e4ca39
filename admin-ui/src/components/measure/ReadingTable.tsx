import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { DataTable, type Column } from '@/components/DataTable';
import { formatDecimal } from '@/lib/decimal';
import { formatTime } from '@/lib/time';
import { decimalText, shift, type Scale } from './decimal';
import type { Aggregate } from './localTime';
import type { Point } from './series';
import { staticList } from './staticList';
import { QualityTone } from './Tone';

interface Props {
  label: string;
  points: Point[];
  aggregate: Aggregate;
  counted: boolean;
  /** a register's smallest and largest are its first and last: not shown */
  register: boolean;
  scale: Scale;
}

/** The chart's values to read, newest first: exact, and for those who do not see the chart. */
export function ReadingTable({ label, points, aggregate, counted, register, scale }: Props) {
  const { t, i18n } = useTranslation('measure');
  const rows = useMemo(() => [...points].reverse(), [points]);
  const number = (value: Point['value'] | undefined) =>
    value ? formatDecimal(decimalText(shift(value, scale.power)), i18n.language) : '–';
  const style = aggregate === 'day' || aggregate === 'month' ? 'day' : 'minute';
  const time = (at: number) => formatTime(new Date(at).toISOString(), i18n.language, style);
  const withUnit = (title: string) => (scale.unit ? `${title} (${scale.unit})` : title);

  const columns: Column<Point>[] = [
    {
      key: 'at',
      title: t(counted || aggregate !== 'raw' ? 'reading.from' : 'reading.at'),
      width: '136px',
      cell: ({ at }) => <time dateTime={new Date(at).toISOString()}>{time(at)}</time>,
    },
    {
      key: 'value',
      title: withUnit(
        t(counted ? 'curve.consumption' : aggregate === 'raw' ? 'reading.value' : 'reading.last'),
      ),
      width: 'minmax(124px, 1fr)',
      align: 'right',
      cell: ({ value }) => number(value),
    },
  ];
  if (aggregate === 'raw')
    columns.push({
      key: 'quality',
      title: t('reading.quality'),
      width: 'minmax(80px, 0.8fr)',
      cell: ({ quality }) => (quality ? <QualityTone quality={quality} /> : '–'),
    });
  else {
    if (!register)
      columns.push(
        {
          key: 'min',
          title: t('reading.min'),
          width: 'minmax(90px, 1fr)',
          align: 'right',
          cell: ({ min }) => number(min),
        },
        {
          key: 'max',
          title: t('reading.max'),
          width: 'minmax(90px, 1fr)',
          align: 'right',
          cell: ({ max }) => number(max),
        },
      );
    columns.push({
      key: 'count',
      title: t('reading.count'),
      width: '58px',
      align: 'right',
      cell: ({ count }) => (count === undefined ? '–' : String(count)),
    });
  }
  return (
    <DataTable
      label={label}
      columns={columns}
      list={staticList(rows)}
      rowKey={({ at }) => at}
      rowHeight={28}
      minWidth={aggregate === 'raw' || register ? 340 : 500}
      height="400px"
      empty={null}
    />
  );
}
