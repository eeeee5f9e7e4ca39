import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { Panel } from '@/components/Panel';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { displayUnit } from '@/components/measure/decimal';
import { QualityTone, Tone } from '@/components/measure/Tone';
import { formatQuantity } from '@/lib/decimal';
import { formatTime } from '@/lib/time';
import { useTenant } from '@/session/context';

type Correction = Schemas['Correction'];

/** What people set on a channel, newest first, with what stood there before. */
export function Corrections({ channel }: { channel: Schemas['Channel'] }) {
  const { t, i18n } = useTranslation(['values', 'measure']);
  const { tenant, may } = useTenant();
  const [withdrawing, setWithdrawing] = useState<Correction | null>(null);
  const key = tenantKey(tenant, 'channel', channel.id, 'corrections');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/channels/{channel}/corrections', {
        params: {
          path: { tenant, channel: channel.id },
          query: { limit: 100, ...(cursor ? { cursor } : {}) },
        },
      }),
    ),
  );
  const unit = displayUnit(channel.unit) || null;
  const columns: Column<Correction>[] = [
    { key: 'ts', title: t('value.at'), width: '150px', cell: ({ ts }) => <Time at={ts} /> },
    {
      key: 'value',
      title: t('value.value'),
      width: 'minmax(130px, 1fr)',
      align: 'right',
      cell: ({ value }) => formatQuantity(value, unit, i18n.language),
    },
    {
      key: 'quality',
      title: t('value.quality'),
      width: '130px',
      cell: ({ quality }) => <QualityTone quality={quality} />,
    },
    {
      key: 'before',
      title: t('corrections.before'),
      width: 'minmax(130px, 1fr)',
      align: 'right',
      cell: ({ before }) => (before === null ? '–' : formatQuantity(before, unit, i18n.language)),
    },
    {
      key: 'reason',
      title: t('correct.reason'),
      width: 'minmax(160px, 2fr)',
      cell: ({ reason, method }) => <span title={method}>{reason}</span>,
    },
    {
      key: 'by',
      title: t('corrections.by'),
      width: 'minmax(120px, 1fr)',
      cell: ({ made_by, made_at }) => (
        <span title={formatTime(made_at, i18n.language)}>{made_by}</span>
      ),
    },
    {
      key: 'state',
      title: t('corrections.state'),
      width: '130px',
      cell: ({ withdrawn_at, withdrawn_reason }) =>
        withdrawn_at ? (
          <span title={withdrawn_reason ?? ''}>
            <Tone tone="calm">{t('corrections.withdrawn')}</Tone>
          </span>
        ) : (
          <Tone tone="good">{t('corrections.stands')}</Tone>
        ),
    },
    {
      key: 'menu',
      title: '',
      width: '32px',
      cell: (row) => (
        <RowMenu
          label={t('corrections.actions', { at: formatTime(row.ts, i18n.language) })}
          actions={
            may('withdrawCorrection') && !row.withdrawn_at
              ? [{ label: t('withdraw.action'), danger: true, run: () => setWithdrawing(row) }]
              : []
          }
        />
      ),
    },
  ];
  return (
    <Panel title={t('corrections.title')}>
      <DataTable
        label={t('corrections.title')}
        columns={columns}
        list={list}
        minWidth={980}
        rowKey={({ id }) => id}
        empty={<EmptyState title={t('corrections.empty')} text={t('corrections.emptyText')} />}
      />
      {withdrawing && (
        <Withdraw
          channel={channel.id}
          correction={withdrawing}
          close={() => setWithdrawing(null)}
        />
      )}
    </Panel>
  );
}

function Withdraw({
  channel,
  correction,
  close,
}: {
  channel: number;
  correction: Correction;
  close: () => void;
}) {
  const { t } = useTranslation('values');
  const { tenant } = useTenant();
  const [key] = useState(newIdempotencyKey);
  const [reason, setReason] = useState('');
  const withdraw = useAction(
    () =>
      call(
        api.POST(
          '/api/v1/tenants/{tenant}/channels/{channel}/corrections/{correction_id}/withdraw',
          {
            params: {
              path: { tenant, channel, correction_id: correction.id },
              header: { 'Idempotency-Key': key },
            },
            body: { reason: reason.trim() },
          },
        ),
      ),
    { changes: [tenantKey(tenant, 'channel', channel)] },
  );
  return (
    <Confirm
      opened
      close={close}
      title={t('withdraw.title')}
      text={t('withdraw.text')}
      action={t('withdraw.action')}
      ready={reason.trim() !== ''}
      run={() => withdraw.mutateAsync(undefined)}
    >
      <TextInput
        label={t('correct.reason')}
        required
        maxLength={500}
        value={reason}
        data-autofocus
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirm>
  );
}
