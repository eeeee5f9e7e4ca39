import { useMemo, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { covers, hexByte, innermost, rangeText, type Range } from './bytes';
import classes from './measure.module.css';

const PER_LINE = 16;
const COLORS = 6;

/** Colour number of a layer; beyond six they begin again. */
export const layerColor = (index: number): number => index % COLORS;

interface Props {
  label: string;
  bytes: number[];
  /** named parts that colour the bytes */
  layers: (Range & { name: string })[];
  /** what is pointed at somewhere else on the page */
  marked: Range | null;
  /** byte under the pointer */
  onPoint: (offset: number | null) => void;
}

/** Bytes as hex, sixteen to a line, underlined in the colour of their layer. */
export function ByteView({ label, bytes, layers, marked, onPoint }: Props) {
  const { t } = useTranslation('measure');
  const owners = useMemo(() => innermost(layers, bytes.length), [layers, bytes]);
  const lines: ReactNode[] = [];
  for (let start = 0; start < bytes.length; start += PER_LINE) {
    lines.push(
      <div key={start} className={classes.line}>
        <span className={classes.offset}>{start.toString(16).padStart(4, '0')}</span>
        <span>
          {bytes.slice(start, start + PER_LINE).map((value, index) => {
            const at = start + index;
            const owner = owners[at] ?? -1;
            return (
              <span
                key={at}
                className={classes.byte}
                data-owner={owner < 0 ? undefined : layerColor(owner)}
                data-marked={marked && covers(marked, at) ? '' : undefined}
                title={owner < 0 ? hexAt(at) : `${hexAt(at)} · ${layers[owner]?.name}`}
                onMouseEnter={() => onPoint(at)}
              >
                {hexByte(value)}
              </span>
            );
          })}
        </span>
      </div>,
    );
  }
  return (
    <div
      className={classes.bytes}
      role="group"
      aria-label={`${label}, ${t('frame.byteCount', { count: bytes.length })}`}
      tabIndex={0}
      onMouseLeave={() => onPoint(null)}
    >
      {lines}
    </div>
  );
}

const hexAt = (offset: number) => `0x${rangeText({ offset, length: 1 })}`;
