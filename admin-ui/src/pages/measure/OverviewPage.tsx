import { Anchor, Group, Progress, SimpleGrid, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useLive } from '@/api/stream';
import { EmptyState } from '@/components/EmptyState';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Ago, Time } from '@/components/Time';
import { jobFraction, jobKind } from '@/components/measure/jobs';
import classes from '@/components/measure/measure.module.css';
import { SeverityTone } from '@/components/measure/Tone';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type Overview = Schemas['Overview'];
type Tone = 'good' | 'warn' | 'bad' | 'plain';

const REFRESH_MS = 30_000;
/** A change of a gateway or job shows soon, and a storm of them asks once. */
const SETTLE_MS = 2_000;

export default function OverviewPage() {
  const { t } = useTranslation('measure');
  const { tenant, name } = useTenant();
  const client = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'overview'),
    queryFn: () =>
      call(api.GET('/api/v1/tenants/{tenant}/overview', { params: { path: { tenant } } })),
    refetchInterval: REFRESH_MS,
  });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const soon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(
      () => void client.invalidateQueries({ queryKey: tenantKey(tenant, 'overview') }),
      SETTLE_MS,
    );
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useLive(tenant, 'gateways', soon);
  useLive(tenant, 'jobs', soon);
  useLive(tenant, 'events', soon);

  return (
    <>
      <PageHeader title={t('overview.title', { name })} text={t('overview.text')} />
      <ProblemAlert error={data ? null : error} retry={() => void refetch()} />
      {!data && !error && <PageLoading />}
      {data && (
        <Stack gap="lg">
          {data.gateways.total === 0 && <FirstSteps />}
          <Figures overview={data} />
          <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
            <RecentEvents />
            <Stack gap="lg">
              <RunningJobs />
              <RecentExports />
            </Stack>
          </SimpleGrid>
        </Stack>
      )}
    </>
  );
}

function FirstSteps() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  return (
    <EmptyState title={t('overview.noGatewayTitle')} text={t('overview.noGateway')}>
      {may('createGateway') && (
        <Anchor component={Link} to={`/t/${tenant}/gateways`} size="sm">
          {t('overview.toGateways')}
        </Anchor>
      )}
    </EmptyState>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const { t, i18n } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const count = (value: number) => formatCount(value, i18n.language);
  const to = (path: string) => `/t/${tenant}${path}`;
  const [day] = useState(() => new Date(Date.now() - 86_400_000).toISOString());
  const { gateways, devices, frames, events, exports, jobs } = overview;
  const away = gateways.total - gateways.connected - gateways.revoked;
  const bad = (value: number, tone: Tone): Tone => (value > 0 ? tone : 'good');
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 3, xl: 4 }} spacing="sm">
      <Tile
        label={t('overview.connected')}
        figure={`${count(gateways.connected)} / ${count(gateways.total - gateways.revoked)}`}
        text={t('overview.connectedText')}
        tone={away > 0 ? 'plain' : gateways.total > 0 ? 'good' : 'plain'}
        to={to('/gateways?connection=connected')}
      />
      <Tile
        label={t('overview.lost')}
        figure={count(away)}
        text={t('overview.lostText')}
        tone={bad(away, 'bad')}
        to={to('/gateways?connection=lost')}
      />
      <SilentTile />
      <Tile
        label={t('overview.keyNeeded')}
        figure={count(frames.key_needed)}
        text={t('overview.keyNeededText')}
        tone={bad(frames.key_needed, 'warn')}
        to={to('/frames?state=key-needed')}
      />
      <Tile
        label={t('overview.notOk')}
        figure={count(frames.not_ok_24h)}
        text={t('overview.notOkText', { total: count(frames.last_24h) })}
        tone={bad(frames.not_ok_24h, 'warn')}
        to={to(`/frames?from=${encodeURIComponent(day)}`)}
      />
      <Tile
        label={t('overview.alarms')}
        figure={count(events.alarms_7d)}
        text={t('overview.alarmsText')}
        tone={bad(events.alarms_7d, 'bad')}
        to={to('/events?severity=alarm')}
      />
      <Tile
        label={t('overview.warnings')}
        figure={count(events.warnings_7d)}
        text={t('overview.alarmsText')}
        tone={bad(events.warnings_7d, 'warn')}
        to={to('/events?severity=warning')}
      />
      <Tile
        label={t('overview.conflicts')}
        figure={count(overview.conflicts)}
        text={t('overview.conflictsText')}
        tone={bad(overview.conflicts, 'warn')}
        to={to('/conflicts')}
      />
      <Tile
        label={t('overview.devices')}
        figure={count(devices.active)}
        text={t('overview.devicesText', {
          total: count(devices.total),
          readings: count(overview.readings_24h),
        })}
        tone={overview.readings_24h === 0 && devices.active > 0 ? 'bad' : 'plain'}
        to={to('/devices?assignment=adopted&active=true')}
      />
      <Tile
        label={t('overview.heard')}
        figure={count(devices.heard)}
        text={t('overview.heardText')}
        tone={bad(devices.heard, 'warn')}
        to={to('/devices?assignment=heard')}
      />
      {may('listExports') && (
        <Tile
          label={t('overview.exports')}
          figure={count(exports.count_7d)}
          text={
            exports.last_at ? (
              <>
                {t('overview.lastExport')} <Ago at={exports.last_at} />
              </>
            ) : (
              t('overview.noExport')
            )
          }
          tone="plain"
          to={to('/exports')}
        />
      )}
      <Tile
        label={t('overview.failedJobs')}
        figure={count(jobs.failed)}
        text={t('overview.failedJobsText', { count: jobs.running })}
        tone={bad(jobs.failed, 'bad')}
        to={to(jobs.failed > 0 ? '/jobs?state=failed' : '/jobs')}
      />
    </SimpleGrid>
  );
}

/** Devices that are to deliver and did not for a day. */
function SilentTile() {
  const { t, i18n } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data } = useQuery({
    queryKey: tenantKey(tenant, 'overview', 'silent'),
    queryFn: () => countSilent(tenant, Date.now()),
    refetchInterval: 10 * REFRESH_MS,
    staleTime: 5 * REFRESH_MS,
  });
  return (
    <Tile
      label={t('overview.silent')}
      figure={data ? `${data.more ? '≥ ' : ''}${formatCount(data.count, i18n.language)}` : '…'}
      text={t('overview.silentText')}
      tone={!data ? 'plain' : data.count > 0 ? 'bad' : 'good'}
      to={`/t/${tenant}/devices?assignment=adopted&active=true&silent=24`}
    />
  );
}

function Tile({
  label,
  figure,
  text,
  tone,
  to,
}: {
  label: string;
  figure: string;
  text: ReactNode;
  tone: Tone;
  to: string;
}) {
  return (
    <Link to={to} className={classes.tile} data-tone={tone}>
      <Text size="sm" fw={600}>
        {label}
      </Text>
      <span className={classes.figure}>{figure}</span>
      <Text size="xs" c="var(--emt-dimmed)" component="span">
        {text}
      </Text>
    </Link>
  );
}

function Section({ title, to, children }: { title: string; to: string; children: ReactNode }) {
  const { t } = useTranslation('measure');
  return (
    <section aria-label={title}>
      <Group justify="space-between" mb={6}>
        <Title order={2}>{title}</Title>
        <Anchor component={Link} to={to} size="sm" aria-label={`${title}: ${t('overview.all')}`}>
          {t('overview.all')}
        </Anchor>
      </Group>
      {children}
    </section>
  );
}

function Nothing({ text }: { text: string }) {
  return (
    <Text size="sm" c="var(--emt-dimmed)">
      {text}
    </Text>
  );
}

function RecentEvents() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'overview', 'events'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/events', {
          params: { path: { tenant }, query: { limit: 8 } },
        }),
      ),
    refetchInterval: REFRESH_MS,
  });
  return (
    <Section title={t('overview.recentEvents')} to={`/t/${tenant}/events`}>
      <ProblemAlert error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={40} />}
      {data?.items.length === 0 && <Nothing text={t('overview.noEvents')} />}
      <Stack gap={6} component="ul" m={0} p={0}>
        {data?.items.map((event) => (
          <li key={event.id} className={classes.entry}>
            <Group gap="sm" justify="space-between" wrap="nowrap">
              <Group gap="sm" wrap="nowrap" miw={0}>
                <SeverityTone severity={event.severity} />
                <Text size="sm" fw={500} truncate>
                  {t(`eventKind.${event.kind}`, { defaultValue: event.kind })}
                </Text>
              </Group>
              <Text size="xs" c="var(--emt-dimmed)" component="span">
                <Ago at={event.at} />
              </Text>
            </Group>
            <Text size="xs" c="var(--emt-dimmed)" className="break" lineClamp={2}>
              {[event.gateway, event.device, event.detail].filter(Boolean).join(' · ')}
            </Text>
          </li>
        ))}
      </Stack>
    </Section>
  );
}

function RunningJobs() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'overview', 'jobs'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/jobs', {
          params: { path: { tenant }, query: { state: 'running', limit: 5 } },
        }),
      ),
    refetchInterval: REFRESH_MS / 3,
  });
  return (
    <Section title={t('overview.runningJobs')} to={`/t/${tenant}/jobs`}>
      <ProblemAlert error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={40} />}
      {data?.items.length === 0 && <Nothing text={t('overview.noJobs')} />}
      {data?.items.map((job) => (
        <Group key={job.id} gap="sm" wrap="nowrap">
          <Text size="sm" miw={160}>
            {jobKind(t, job.kind)}
          </Text>
          <Progress
            value={jobFraction(job) ?? 100}
            animated={jobFraction(job) === null}
            style={{ flex: 1 }}
            aria-label={jobKind(t, job.kind)}
          />
        </Group>
      ))}
    </Section>
  );
}

function RecentExports() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'overview', 'exports'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/exports', {
          params: { path: { tenant }, query: { limit: 5 } },
        }),
      ),
  });
  return (
    <Section title={t('overview.recentExports')} to={`/t/${tenant}/exports`}>
      <ProblemAlert error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={40} />}
      {data?.items.length === 0 && <Nothing text={t('overview.noExport')} />}
      <Stack gap={4} component="ul" m={0} p={0}>
        {data?.items.map((file) => (
          <li key={file.id} className={classes.entry}>
            <Group gap="sm" justify="space-between" wrap="nowrap">
              <Text size="sm" className="mono" truncate>
                {file.file_name}
              </Text>
              <Text size="xs" c="var(--emt-dimmed)" component="span" style={{ flex: 'none' }}>
                <Time at={file.created_at} />
              </Text>
            </Group>
          </li>
        ))}
      </Stack>
    </Section>
  );
}

const SILENT_MS = 86_400_000;
const PAGES_MAX = 10;

/** Until the figure is part of the overview it is counted here, to a bound. */
async function countSilent(tenant: string, now: number): Promise<{ count: number; more: boolean }> {
  let count = 0;
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await call(
      api.GET('/api/v1/tenants/{tenant}/devices', {
        params: {
          path: { tenant },
          query: {
            active: true,
            assignment: 'adopted',
            limit: 1000,
            ...(cursor ? { cursor } : {}),
          },
        },
      }),
    );
    count += answer.items.filter(
      ({ last_seen_at }) => !last_seen_at || now - Date.parse(last_seen_at) > SILENT_MS,
    ).length;
    cursor = answer.next;
    if (!cursor) return { count, more: false };
  }
  return { count, more: true };
}
