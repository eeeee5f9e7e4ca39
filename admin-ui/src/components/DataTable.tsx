import { Box, Button, Group, Loader, Skeleton, Text, VisuallyHidden } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type CSSProperties, type KeyboardEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'wouter';
import type { CursorList } from '@/api/query';
import classes from './DataTable.module.css';
import { ProblemAlert } from './ProblemAlert';

export interface Column<T> {
  key: string;
  title: string;
  /** a CSS grid track: '120px', 'minmax(140px, 2fr)' */
  width: string;
  align?: 'left' | 'right';
  cell: (row: T) => ReactNode;
}

interface Props<T> {
  /** what the table lists, for those who hear it */
  label: string;
  columns: Column<T>[];
  list: CursorList<T>;
  rowKey: (row: T) => string | number;
  /** the row's own page; its first cell becomes the link */
  href?: (row: T) => string;
  /** instead of rows when there are none */
  empty: ReactNode;
  /** rows are all of one height, in pixels */
  rowHeight?: number;
  /** height of the table's window */
  height?: string;
  /** below this width the table scrolls sideways, in pixels */
  minWidth?: number;
}

const AHEAD = 20;

/**
 * A list of any length: only the rows in view exist, further pages are fetched as one gets there.
 * Rows have one height and one line; the whole table scrolls inside its own frame.
 */
export function DataTable<T>({
  label,
  columns,
  list,
  rowKey,
  href,
  empty,
  rowHeight = 38,
  height = 'calc(100dvh - 210px)',
  minWidth = 760,
}: Props<T>) {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const frame = useRef<HTMLDivElement>(null);
  const { rows, hasMore, loadingMore, more } = list;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const nearEnd = hasMore && !loadingMore && !list.error && last >= rows.length - AHEAD;
  useEffect(() => {
    if (nearEnd) more();
  }, [nearEnd, more]);

  if (list.error && rows.length === 0)
    return <ProblemAlert error={list.error} retry={list.reload} />;
  if (list.loading) return <TableSkeleton rowHeight={rowHeight} />;
  if (rows.length === 0) return <>{empty}</>;

  const tracks = { gridTemplateColumns: columns.map((column) => column.width).join(' ') };
  const cells = (row: T) =>
    columns.map((column, index) => (
      <div key={column.key} role="cell" className={classes.cell} data-align={column.align}>
        {index === 0 && href ? (
          <Link to={href(row)} className={classes.link}>
            {column.cell(row)}
          </Link>
        ) : (
          column.cell(row)
        )}
      </div>
    ));
  return (
    <Box>
      <div
        ref={frame}
        className={classes.frame}
        style={{ maxHeight: height, '--emt-table-min': `${minWidth}px` } as CSSProperties}
        role="table"
        aria-label={label}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        tabIndex={0}
        onKeyDown={(event) => scrollByKey(event, frame.current, rowHeight)}
      >
        <div role="rowgroup" className={classes.head}>
          <div role="row" className={classes.row} style={tracks} aria-rowindex={1}>
            {columns.map((column) => (
              <div
                key={column.key}
                role="columnheader"
                className={classes.cell}
                data-align={column.align}
              >
                {column.title || <VisuallyHidden>{t('table.actions')}</VisuallyHidden>}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" className={classes.body} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const to = href?.(row);
            return (
              <div
                key={rowKey(row)}
                role="row"
                aria-rowindex={item.index + 2}
                className={classes.row}
                data-link={to ? true : undefined}
                style={{
                  ...tracks,
                  height: rowHeight,
                  position: 'absolute',
                  top: item.start,
                  left: 0,
                  right: 0,
                }}
                onClick={(event) => {
                  const onControl = (event.target as HTMLElement).closest('a, button, input');
                  if (to && !onControl && !window.getSelection()?.toString()) navigate(to);
                }}
              >
                {cells(row)}
              </div>
            );
          })}
        </div>
      </div>
      <Group justify="space-between" mt={6} mih={26}>
        <Text size="xs" c="var(--emt-dimmed)">
          {t(hasMore ? 'table.countMore' : 'table.count', { count: rows.length })}
        </Text>
        {loadingMore && <Loader size="xs" aria-label={t('loading')} />}
      </Group>
      {list.error && <ProblemAlert error={list.error} retry={hasMore ? more : list.reload} />}
      {hasMore && !nearEnd && !loadingMore && rows.length < AHEAD && (
        <Button variant="default" size="xs" onClick={more}>
          {t('table.more')}
        </Button>
      )}
    </Box>
  );
}

function scrollByKey(event: KeyboardEvent, frame: HTMLElement | null, rowHeight: number): void {
  if (event.target !== frame || !frame) return;
  const page = frame.clientHeight - rowHeight;
  const by = { PageDown: page, PageUp: -page, ArrowDown: rowHeight, ArrowUp: -rowHeight }[
    event.key
  ];
  if (by === undefined) return;
  event.preventDefault();
  frame.scrollBy({ top: by });
}

function TableSkeleton({ rowHeight }: { rowHeight: number }) {
  const { t } = useTranslation();
  return (
    <Box role="status" aria-label={t('loading')}>
      {Array.from({ length: 8 }, (_, index) => (
        <Skeleton key={index} height={rowHeight - 8} mb={8} radius="sm" />
      ))}
    </Box>
  );
}
