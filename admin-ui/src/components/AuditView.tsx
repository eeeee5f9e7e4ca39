import { Alert, Button, Code, Drawer, Stack, Text } from '@mantine/core';
import { useMutation, type QueryKey } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';
import type { ApiError } from '@/api/problem';
import { useCursorList, type Page } from '@/api/query';
import { formatCount } from '@/lib/decimal';
import { dayEnd, dayStart } from '@/lib/days';
import { formatTime } from '@/lib/time';
import { DataTable } from './DataTable';
import { EmptyState } from './EmptyState';
import { Facts } from './Facts';
import { FilterBar, FilterText } from './measure/FilterBar';
import { useFilters } from './measure/useFilters';
import { PageHeader } from './PageHeader';
import { ProblemAlert } from './ProblemAlert';
import { Time } from './Time';
import { FilterDay } from './FilterDay';

type Entry = Schemas['AuditEntry'];
type Verification = Schemas['AuditVerification'];

export interface AuditQuery {
  actor?: string | undefined;
  action?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  cursor?: string | undefined;
}

interface Props {
  queryKey: QueryKey;
  title: string;
  text: string;
  fetchPage: (query: AuditQuery) => Promise<Page<Entry>>;
  verify: () => Promise<Verification>;
}

/** Who did what: newest first, filtered, and the check that nobody has altered it since. */
export function AuditView({ queryKey, title, text, fetchPage, verify }: Props) {
  const { t } = useTranslation(['shell', 'common']);
  const [filters, setFilters] = useFilters(['actor', 'action', 'from', 'to']);
  const [open, setOpen] = useState<Entry | null>(null);
  const check = useMutation<Verification, ApiError>({ mutationFn: verify });
  const list = useCursorList([...queryKey, filters], (cursor) =>
    fetchPage({
      actor: filters.actor,
      action: filters.action,
      from: dayStart(filters.from),
      to: dayEnd(filters.to),
      cursor,
    }),
  );
  return (
    <>
      <PageHeader title={title} text={text}>
        <Button variant="default" loading={check.isPending} onClick={() => check.mutate()}>
          {t('audit.verify')}
        </Button>
      </PageHeader>
      {(check.error || check.data) && (
        <Stack gap="sm" mb="sm">
          <ProblemAlert error={check.error} retry={() => check.mutate()} />
          {check.data && <Outcome result={check.data} />}
        </Stack>
      )}
      <FilterBar
        active={Object.keys(filters).length > 0}
        clear={() =>
          setFilters({ actor: undefined, action: undefined, from: undefined, to: undefined })
        }
      >
        <FilterText
          label={t('audit.actor')}
          value={filters.actor}
          onChange={(actor) => setFilters({ actor })}
        />
        <FilterText
          label={t('audit.action')}
          value={filters.action}
          onChange={(action) => setFilters({ action })}
        />
        <FilterDay
          label={t('audit.from')}
          value={filters.from}
          onChange={(from) => setFilters({ from })}
        />
        <FilterDay label={t('audit.to')} value={filters.to} onChange={(to) => setFilters({ to })} />
      </FilterBar>
      <DataTable
        label={title}
        list={list}
        rowKey={({ id }) => id}
        height="calc(100dvh - 270px)"
        columns={[
          {
            key: 'at',
            title: t('audit.at'),
            width: '170px',
            cell: ({ at }) => <Time at={at} seconds />,
          },
          {
            key: 'actor',
            title: t('audit.actor'),
            width: 'minmax(120px, 1fr)',
            cell: ({ actor }) => actor || t('audit.platform'),
          },
          {
            key: 'action',
            title: t('audit.action'),
            width: 'minmax(140px, 1fr)',
            cell: ({ action }) => <span className="mono">{action}</span>,
          },
          {
            key: 'object',
            title: t('audit.object'),
            width: 'minmax(140px, 1.4fr)',
            cell: ({ object }) => object || '–',
          },
          {
            key: 'peer',
            title: t('audit.peer'),
            width: '130px',
            cell: ({ peer }) => peer ?? '–',
          },
          {
            key: 'more',
            title: t('audit.detail'),
            width: '110px',
            cell: (entry) => (
              <Button
                variant="subtle"
                size="compact-xs"
                aria-label={t('audit.showEntry', { id: entry.id })}
                onClick={() => setOpen(entry)}
              >
                {t('audit.show')}
              </Button>
            ),
          },
        ]}
        empty={<EmptyState title={t('audit.none')} text={t('audit.noneText')} />}
      />
      <Drawer
        opened={open !== null}
        onClose={() => setOpen(null)}
        position="right"
        title={t('audit.entry', { id: open?.id })}
        closeButtonProps={{ 'aria-label': t('common:close') }}
      >
        {open && <EntryDetail entry={open} />}
      </Drawer>
    </>
  );
}

function EntryDetail({ entry }: { entry: Entry }) {
  const { t } = useTranslation('shell');
  return (
    <Stack>
      <Facts
        facts={[
          { label: t('audit.at'), value: <Time at={entry.at} seconds /> },
          { label: t('audit.actor'), value: entry.actor || t('audit.platform') },
          { label: t('audit.action'), value: <span className="mono">{entry.action}</span> },
          { label: t('audit.object'), value: entry.object || '–' },
          { label: t('audit.peer'), value: entry.peer ?? '–' },
          {
            label: t('audit.chainNo'),
            value: entry.chain_no === null ? t('audit.notLinked') : entry.chain_no,
          },
        ]}
      />
      {entry.detail && (
        <Code block tabIndex={0} aria-label={t('audit.detail')} className="break">
          {readable(entry.detail)}
        </Code>
      )}
    </Stack>
  );
}

/** Details are JSON mostly; indented they can be read. */
function readable(detail: string): string {
  try {
    return JSON.stringify(JSON.parse(detail), null, 2);
  } catch {
    return detail;
  }
}

function Outcome({ result }: { result: Verification }) {
  const { t, i18n } = useTranslation('shell');
  const count = (value: number) => formatCount(value, i18n.language);
  return (
    <Alert
      role="status"
      color={result.ok ? 'teal' : 'red'}
      title={t(result.ok ? 'audit.intact' : 'audit.broken')}
    >
      <Text size="sm">
        {t('audit.counts', {
          entries: count(result.entries),
          chained: count(result.chained),
          anchors: count(result.anchors),
          at: formatTime(result.checked_at, i18n.language, 'second'),
        })}
      </Text>
      {result.first_bad && (
        <Text size="sm" fw={600}>
          {t('audit.firstBad', { id: result.first_bad.entry_id, reason: result.first_bad.reason })}
        </Text>
      )}
      {!result.ok && <Text size="sm">{t('audit.brokenText')}</Text>}
    </Alert>
  );
}
