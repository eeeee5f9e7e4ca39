import { Button, Group, Text } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useCursorList } from '@/api/query';
import { tenantStream, useLive, useLiveState } from '@/api/stream';
import { Confirm } from '@/components/Confirm';
import { DataTable, type Column } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { Time } from '@/components/Time';
import { FilterBar, FilterSelect, FilterText } from '@/components/measure/FilterBar';
import { LiveFrames, frameKey, withLive } from '@/components/measure/liveFrames';
import { FRAME_STATES, FrameStateTone, Tone, type FrameState } from '@/components/measure/Tone';
import { useFilters } from '@/components/measure/useFilters';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type Frame = Schemas['Frame'];

/** The eye follows no more than that; what came in between is shown together. */
const FLUSH_MS = 400;
/** After losses the list is asked for anew, once they are over. */
const LOST_SETTLE_MS = 1_500;

export default function FramesPage() {
  const { t, i18n } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const [filters, change] = useFilters(['device', 'gateway', 'state', 'from', 'to']);
  const { device, gateway, state, from, to } = filters;
  const [replaying, setReplaying] = useState(false);
  const list = useCursorList(
    tenantKey(tenant, 'frames', { device, gateway, state, from, to }),
    (cursor) =>
      call(
        api.GET('/api/v1/tenants/{tenant}/frames', {
          params: {
            path: { tenant },
            query: {
              limit: 100,
              ...(cursor ? { cursor } : {}),
              ...(device ? { device } : {}),
              ...(gateway ? { gateway } : {}),
              ...(state ? { state: state as FrameState } : {}),
              ...(from ? { from } : {}),
              ...(to ? { to } : {}),
            },
          },
        }),
      ),
  );
  const live = useLiveFrames(tenant, { device, gateway, state }, to !== undefined);
  const { reload, hasMore } = list;
  const refresh = useDebouncedCallback(reload, LOST_SETTLE_MS);
  useEffect(() => tenantStream(tenant).onLost(refresh), [tenant, refresh]);
  const rows = useMemo(
    () => withLive(live.frames, list.rows, !hasMore),
    [live.frames, list.rows, hasMore],
  );

  const clear = () =>
    change({
      device: undefined,
      gateway: undefined,
      state: undefined,
      from: undefined,
      to: undefined,
    });
  const filtered = Object.keys(filters).length > 0;
  const columns: Column<Frame>[] = [
    {
      key: 'at',
      title: t('frame.received'),
      width: '170px',
      cell: ({ received_at }) => <Time at={received_at} seconds />,
    },
    {
      key: 'state',
      title: t('frame.state'),
      width: 'minmax(170px, 1fr)',
      cell: ({ state: found }) => <FrameStateTone state={found} />,
    },
    {
      key: 'device',
      title: t('frame.device'),
      width: 'minmax(190px, 1.1fr)',
      cell: ({ device: ident }) => <span className="mono">{ident ?? '–'}</span>,
    },
    {
      key: 'gateway',
      title: t('frame.gateway'),
      width: 'minmax(110px, 0.8fr)',
      cell: (frame) => frame.gateway,
    },
    {
      key: 'protocol',
      title: t('frame.protocol'),
      width: '100px',
      cell: ({ protocol }) => t(`protocol.${protocol}`, { defaultValue: protocol }),
    },
    {
      key: 'rssi',
      title: t('frame.rssi'),
      width: '90px',
      align: 'right',
      cell: ({ rssi_dbm }) => (rssi_dbm === null ? '–' : `${rssi_dbm} dBm`),
    },
    {
      key: 'length',
      title: t('frame.length'),
      width: '80px',
      align: 'right',
      cell: ({ data }) => formatCount(data.length / 2, i18n.language),
    },
    {
      key: 'data',
      title: t('frame.bytes'),
      width: 'minmax(160px, 1.6fr)',
      cell: ({ data, reason }) => (
        <span className="mono" title={reason || undefined}>
          {data.slice(0, 80)}
        </span>
      ),
    },
  ];
  return (
    <>
      <PageHeader
        title={t('frames.title')}
        text={t('frames.text')}
        badges={<LiveBadge {...live} />}
      >
        {to === undefined && (
          <Button variant="default" onClick={live.toggle} aria-pressed={live.paused}>
            {live.paused ? t('frames.resume', { count: live.waiting }) : t('frames.pause')}
          </Button>
        )}
        {may('createReplay') && (
          <Button variant="default" onClick={() => setReplaying(true)}>
            {t('frames.replay')}
          </Button>
        )}
      </PageHeader>
      <FilterBar active={filtered} clear={clear}>
        <FilterSelect
          label={t('frame.state')}
          all={t('filter.all')}
          value={state}
          onChange={(value) => change({ state: value })}
          options={FRAME_STATES.map((value) => ({ value, label: t(`frameState.${value}`) }))}
        />
        <FilterText
          label={t('frames.device')}
          placeholder="KAM-60723506-19-0c"
          value={device}
          onChange={(value) => change({ device: value })}
        />
        <FilterText
          label={t('frame.gateway')}
          value={gateway}
          width={150}
          onChange={(value) => change({ gateway: value })}
        />
        <FilterSelect
          label={t('filter.period')}
          all={t('filter.anyTime')}
          value={from ? 'chosen' : undefined}
          onChange={(value) =>
            change(
              value ? { from: since(value), to: undefined } : { from: undefined, to: undefined },
            )
          }
          options={[
            ...(from ? [{ value: 'chosen', label: t('filter.chosen') }] : []),
            { value: '1', label: t('filter.lastHour') },
            { value: '24', label: t('filter.lastDay') },
            { value: '168', label: t('filter.lastWeek') },
          ]}
        />
      </FilterBar>
      <DataTable
        label={t('frames.title')}
        columns={columns}
        list={{ ...list, rows }}
        rowKey={frameKey}
        href={(frame) => `/t/${tenant}/frames/${frame.gateway}/${frame.spool}/${frame.seq}`}
        height="calc(100dvh - 280px)"
        rowHeight={32}
        minWidth={1080}
        empty={
          filtered ? (
            <EmptyState title={t('filter.none')} text={t('frames.noneText')}>
              <Button variant="default" size="xs" onClick={clear}>
                {t('filter.clear')}
              </Button>
            </EmptyState>
          ) : (
            <EmptyState title={t('frames.empty')} text={t('frames.emptyText')} />
          )
        }
      />
      <Replay opened={replaying} close={() => setReplaying(false)} device={device} state={state} />
    </>
  );
}

const since = (hours: string) =>
  new Date(Math.floor(Date.now() / 60_000) * 60_000 - Number(hours) * 3_600_000).toISOString();

interface Live {
  frames: Frame[];
  waiting: number;
  paused: boolean;
  toggle: () => void;
  state: ReturnType<typeof useLiveState>;
  off: boolean;
}

/** Frames of the stream that pass the filters, newest first, some at a time. */
function useLiveFrames(
  tenant: string,
  filters: { device?: string; gateway?: string; state?: string },
  off: boolean,
): Live {
  const state = useLiveState(tenant);
  const { device, gateway, state: wanted } = filters;
  const collected = useRef(new LiveFrames());
  const [frames, setFrames] = useState<Frame[]>([]);
  const [waiting, setWaiting] = useState(0);
  const [paused, setPaused] = useState(false);
  const [shownFor, setShownFor] = useState('');
  // Other filters, another list: what was collected under the old ones does not belong to it.
  const filterKey = [device, gateway, wanted].join('|');
  if (filterKey !== shownFor) {
    setShownFor(filterKey);
    setFrames([]);
    setWaiting(0);
  }
  useEffect(() => {
    collected.current = new LiveFrames();
  }, [filterKey]);
  useLive(tenant, off ? null : 'frames', (frame) => {
    if (device && frame.device !== device) return;
    if (gateway && frame.gateway !== gateway) return;
    if (wanted && frame.state !== wanted) return;
    collected.current.add(frame);
  });
  useEffect(() => {
    const timer = setInterval(() => {
      const { pending } = collected.current;
      if (pending === 0) return;
      if (paused) setWaiting(pending);
      else setFrames(collected.current.take());
    }, FLUSH_MS);
    return () => clearInterval(timer);
  }, [paused]);
  return {
    frames,
    waiting,
    paused,
    state,
    off,
    toggle: () => {
      setWaiting(0);
      setPaused(!paused);
    },
  };
}

function LiveBadge({ paused, state, off }: Live) {
  const { t } = useTranslation('measure');
  if (off) return null;
  return (
    <Text size="sm" component="span" role="status">
      {paused ? (
        <Tone tone="wait">{t('frames.paused')}</Tone>
      ) : state === 'live' ? (
        <Tone tone="good">{t('frames.live')}</Tone>
      ) : (
        <Tone tone={state === 'polling' ? 'bad' : 'wait'}>{t(`frames.${state}`)}</Tone>
      )}
    </Text>
  );
}

function Replay({
  opened,
  close,
  device,
  state,
}: {
  opened: boolean;
  close: () => void;
  device: string | undefined;
  state: string | undefined;
}) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const [, navigate] = useLocation();
  const [key, setKey] = useState(newIdempotencyKey);
  const run = async () => {
    await call(
      api.POST('/api/v1/tenants/{tenant}/replays', {
        params: { path: { tenant }, header: { 'Idempotency-Key': key } },
        body: {
          ...(device ? { device } : {}),
          ...(state ? { state: state as FrameState } : {}),
        },
      }),
    );
    setKey(newIdempotencyKey());
    notifications.show({
      message: t('frames.replayOrdered'),
      closeButtonProps: { 'aria-label': t('common:close') },
    });
    navigate(`/t/${tenant}/jobs`);
  };
  return (
    <Confirm
      opened={opened}
      close={close}
      danger={false}
      title={t('frames.replay')}
      action={t('frames.replayAction')}
      text={
        <>
          <Text size="sm">{t('frames.replayText')}</Text>
          <Group gap="lg" mt="xs">
            <Text size="sm">
              {t('frame.state')}: {state ? t(`frameState.${state}`) : t('frames.replayWaiting')}
            </Text>
            <Text size="sm">
              {t('frame.device')}: {device ?? t('filter.all')}
            </Text>
          </Group>
        </>
      }
      run={run}
    />
  );
}
