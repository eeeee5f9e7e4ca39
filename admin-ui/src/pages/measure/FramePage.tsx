import { Alert, Anchor, Button, Group, SimpleGrid, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { useLive } from '@/api/stream';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { ByteView, layerColor } from '@/components/measure/ByteView';
import { covers, hexOf, parseHex, rangeText, type Range } from '@/components/measure/bytes';
import { displayUnit } from '@/components/measure/decimal';
import { frameKey } from '@/components/measure/liveFrames';
import classes from '@/components/measure/measure.module.css';
import { FrameStateTone, WAITS_FOR_KEY } from '@/components/measure/Tone';
import { formatQuantity } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type FrameDetail = Schemas['FrameDetail'];
type FrameLayer = Schemas['FrameLayer'];
type FrameRecord = Schemas['FrameRecord'];
type Place = FrameRecord['in'];

interface Mark extends Range {
  in: Place;
}

export default function FramePage() {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const {
    gateway = '',
    spool = '',
    seq = '',
  } = useParams<{
    gateway: string;
    spool: string;
    seq: string;
  }>();
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'frame', gateway, spool, seq),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/frames/{gateway}/{spool}/{seq}', {
          params: { path: { tenant, gateway, spool, seq: Number(seq) } },
        }),
      ),
  });
  // Decoded anew while it is looked at: a key came.
  useLive(tenant, 'frames', (frame) => {
    if (data && frameKey(frame) === frameKey(data) && frame.state !== data.state) void refetch();
  });
  const path = [{ label: t('frames.title'), to: `/t/${tenant}/frames` }];
  const title = t('frame.title', { seq });
  if (error && !data)
    return (
      <>
        <PageHeader title={title} path={path} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  if (!data) return <PageLoading />;
  return (
    <>
      <PageHeader
        title={title}
        path={path}
        badges={
          <Text size="sm" component="span">
            <FrameStateTone state={data.state} />
          </Text>
        }
      />
      <Stack gap="md" className={classes.layers}>
        <StateAdvice frame={data} />
        <Panel title={t('frame.facts')}>
          <FrameFacts frame={data} />
        </Panel>
        <Anatomy frame={data} />
      </Stack>
    </>
  );
}

function FrameFacts({ frame }: { frame: FrameDetail }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  return (
    <Facts
      facts={[
        { label: t('frame.received'), value: <Time at={frame.received_at} seconds /> },
        { label: t('frame.stored'), value: <Time at={frame.stored_at} seconds /> },
        {
          label: t('frame.device'),
          value: frame.device ? (
            <Anchor
              component={Link}
              size="sm"
              className="mono"
              to={`/t/${tenant}/devices/${encodeURIComponent(frame.device)}`}
            >
              {frame.device}
            </Anchor>
          ) : (
            '–'
          ),
        },
        {
          label: t('frame.gateway'),
          value: (
            <Anchor component={Link} size="sm" to={`/t/${tenant}/gateways/${frame.gateway}`}>
              {frame.gateway}
            </Anchor>
          ),
        },
        {
          label: t('frame.protocol'),
          value: t(`protocol.${frame.protocol}`, { defaultValue: frame.protocol }),
        },
        { label: t('frame.rssi'), value: frame.rssi_dbm === null ? '–' : `${frame.rssi_dbm} dBm` },
        { label: t('frame.spool'), value: <span className="mono break">{frame.spool}</span> },
        { label: t('frame.seq'), value: String(frame.seq) },
      ]}
    />
  );
}

/** What the state means and what makes the frame be tried again. */
function StateAdvice({ frame }: { frame: FrameDetail }) {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const { state, reason, device } = frame;
  if (state === 'ok') return null;
  const [manufacturer, number] = (device ?? '').split('-');
  const search = new URLSearchParams({ add: '1' });
  if (number) search.set('number', number);
  if (manufacturer && /^[A-Z]{3}$/.test(manufacturer)) search.set('manufacturer', manufacturer);
  return (
    <Alert
      color={state === 'duplicate' ? 'gray' : 'orange'}
      title={t(`frameState.${state}`)}
      role="status"
    >
      <Stack gap={6} align="flex-start">
        <Text size="sm">{t(`frameAdvice.${state}`)}</Text>
        {reason && (
          <Text size="sm" className="break">
            {t('frame.reason', { reason })}
          </Text>
        )}
        {WAITS_FOR_KEY.includes(state) &&
          (may('createMeterKey') ? (
            <Button component={Link} to={`/t/${tenant}/keys?${search}`} size="xs">
              {t('frame.addKey')}
            </Button>
          ) : (
            <Text size="sm">{t('frame.addKeyRole')}</Text>
          ))}
      </Stack>
    </Alert>
  );
}

/** Bytes, layers and records; pointing at one shows where it is in the others. */
function Anatomy({ frame }: { frame: FrameDetail }) {
  const { t } = useTranslation('measure');
  const { explain } = frame;
  const bytes = useMemo(() => parseHex(frame.data), [frame.data]);
  const plain = useMemo(() => (explain.plain ? parseHex(explain.plain) : []), [explain.plain]);
  const [mark, setMark] = useState<Mark | null>(null);
  // Headers are layers; what they carry has a colour of its own.
  const colored = useMemo(() => {
    const named = explain.layers.map((layer) => ({ ...layer, name: layerName(t, layer.name) }));
    const body = extent(explain.records.filter((record) => record.in === 'frame'));
    return body ? [...named, { ...body, name: t('frame.records') }] : named;
  }, [explain, t]);
  const point = (place: Place) => (offset: number | null) => {
    if (offset === null) return setMark(null);
    const ranges: Range[] =
      place === 'frame'
        ? [...explain.layers, ...explain.layers.flatMap(({ fields }) => fields)]
        : [];
    const records = explain.records.filter((record) => record.in === place);
    const found = [...ranges, ...records]
      .filter((range) => covers(range, offset))
      .sort((a, b) => a.length - b.length)[0];
    setMark(found ? { offset: found.offset, length: found.length, in: place } : null);
  };
  const marked = (place: Place) => (mark?.in === place ? mark : null);
  return (
    <>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Panel
          title={t('frame.bytesTitle')}
          actions={
            <Text size="xs" c="var(--emt-dimmed)">
              {t('frame.byteCount', { count: bytes.length })}
            </Text>
          }
        >
          <ByteView
            label={t('frame.bytesTitle')}
            bytes={bytes}
            layers={colored}
            marked={marked('frame')}
            onPoint={point('frame')}
          />
          <Group gap="md" mt="xs">
            {colored.map((layer, index) => (
              <Group key={`${layer.name}-${layer.offset}-${index}`} gap={6} wrap="nowrap">
                <span className={classes.swatch} data-owner={layerColor(index)} />
                <Text size="xs">{layer.name}</Text>
              </Group>
            ))}
          </Group>
          {explain.note && (
            <Alert color="orange" mt="sm" title={t('frame.note')}>
              <Text size="sm">{explain.note}</Text>
            </Alert>
          )}
          {plain.length > 0 && (
            <>
              <Text size="sm" fw={600} mt="md" mb={4}>
                {t('frame.plainTitle')}
              </Text>
              <ByteView
                label={t('frame.plainTitle')}
                bytes={plain}
                layers={[]}
                marked={marked('plain')}
                onPoint={point('plain')}
              />
            </>
          )}
        </Panel>
        <Panel title={t('frame.layers')}>
          {explain.layers.length === 0 ? (
            <Text size="sm" c="var(--emt-dimmed)">
              {t('frame.noLayers')}
            </Text>
          ) : (
            <Layers layers={explain.layers} bytes={bytes} mark={mark} setMark={setMark} />
          )}
        </Panel>
      </SimpleGrid>
      <Panel title={t('frame.records')}>
        {explain.records.length === 0 ? (
          <Text size="sm" c="var(--emt-dimmed)">
            {t('frame.noRecords')}
          </Text>
        ) : (
          <Records records={explain.records} mark={mark} setMark={setMark} />
        )}
      </Panel>
    </>
  );
}

type Translate = ReturnType<typeof useTranslation<'measure'>>['t'];

/** Names of the explanation, in words where there are some. */
const layerName = (t: Translate, name: string) =>
  t(`frameLayer.${name}`, { defaultValue: name.toUpperCase() });
const fieldName = (t: Translate, name: string) =>
  t(`frameField.${name}`, { defaultValue: name.replace(/_/g, ' ') });

/** From the first to the last of them. */
function extent(ranges: readonly Range[]): Range | undefined {
  if (ranges.length === 0) return undefined;
  const offset = Math.min(...ranges.map((range) => range.offset));
  const end = Math.max(...ranges.map((range) => range.offset + range.length));
  return { offset, length: end - offset };
}

const same = (mark: Mark | null, range: Range, place: Place): boolean =>
  mark?.in === place && mark.offset === range.offset && mark.length === range.length;

function Layers({
  layers,
  bytes,
  mark,
  setMark,
}: {
  layers: FrameLayer[];
  bytes: number[];
  mark: Mark | null;
  setMark: (mark: Mark | null) => void;
}) {
  const { t } = useTranslation('measure');
  const row = (range: Range, name: string, value: string, strong: boolean, key: string) => {
    const show = () => setMark({ offset: range.offset, length: range.length, in: 'frame' });
    return (
      <button
        key={key}
        type="button"
        className={classes.pointer}
        data-marked={same(mark, range, 'frame') ? '' : undefined}
        onMouseEnter={show}
        onMouseLeave={() => setMark(null)}
        onFocus={show}
        onBlur={() => setMark(null)}
        onClick={show}
      >
        <span className="mono">{rangeText(range)}</span>
        <span className={strong ? classes.strong : undefined}>{name}</span>
        {!strong && <span className="break">{value}</span>}
      </button>
    );
  };
  return (
    <Stack gap={2} component="ul" m={0} p={0}>
      {layers.map((layer, index) => (
        <li key={`${layer.name}-${layer.offset}-${index}`} className={classes.layer}>
          <Group gap={6} wrap="nowrap" align="center">
            <span className={classes.swatch} data-owner={layerColor(index)} />
            {row(layer, layerName(t, layer.name), '', true, 'layer')}
          </Group>
          <div className={classes.fields}>
            {layer.fields.map((field, n) =>
              row(
                field,
                fieldName(t, field.name),
                field.value || hexOf(bytes, field),
                false,
                `${field.name}-${field.offset}-${n}`,
              ),
            )}
          </div>
        </li>
      ))}
    </Stack>
  );
}

function Records({
  records,
  mark,
  setMark,
}: {
  records: FrameRecord[];
  mark: Mark | null;
  setMark: (mark: Mark | null) => void;
}) {
  const { t, i18n } = useTranslation('measure');
  return (
    <div className={classes.wide} tabIndex={0} role="group" aria-label={t('frame.records')}>
      <Table verticalSpacing={3}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('frame.offset')}</Table.Th>
            <Table.Th>DIF</Table.Th>
            <Table.Th>VIF</Table.Th>
            <Table.Th>{t('frame.meaning')}</Table.Th>
            <Table.Th>OBIS</Table.Th>
            <Table.Th ta="right">{t('reading.value')}</Table.Th>
            <Table.Th>{t('frame.meterTime')}</Table.Th>
            <Table.Th>{t('frame.details')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {records.map((record, index) => {
            const show = () =>
              setMark({ offset: record.offset, length: record.length, in: record.in });
            return (
              <Table.Tr
                key={`${record.in}-${record.offset}-${index}`}
                className={same(mark, record, record.in) ? classes.marked : undefined}
                onMouseEnter={show}
                onMouseLeave={() => setMark(null)}
              >
                <Table.Td>
                  <button
                    type="button"
                    className={classes.offsetButton}
                    onFocus={show}
                    onBlur={() => setMark(null)}
                    onClick={show}
                    aria-label={t('frame.showBytes', { range: rangeText(record) })}
                  >
                    {rangeText(record)}
                  </button>{' '}
                  <Text span size="xs" c="var(--emt-dimmed)">
                    {t(`frame.in.${record.in}`)}
                  </Text>
                </Table.Td>
                <Table.Td className="mono">{record.dif ?? '–'}</Table.Td>
                <Table.Td className="mono">{record.vif ?? '–'}</Table.Td>
                <Table.Td>
                  {record.quantity
                    ? t(`quantity.${record.quantity}`, { defaultValue: record.quantity })
                    : record.text}
                </Table.Td>
                <Table.Td className="mono">{record.obis ?? '–'}</Table.Td>
                <Table.Td ta="right" className={classes.value}>
                  {record.value === undefined
                    ? record.text
                    : formatQuantity(
                        record.value,
                        displayUnit(record.unit ?? null) || null,
                        i18n.language,
                      )}
                </Table.Td>
                <Table.Td>{record.time ?? '–'}</Table.Td>
                <Table.Td>{details(record, t)}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function details({ storage, tariff, subunit, function: kind }: FrameRecord, t: Translate): string {
  const parts: string[] = [];
  if (kind && kind !== 'instantaneous') parts.push(t(`function.${kind}`, { defaultValue: kind }));
  if (storage) parts.push(t('channel.storage', { number: storage }));
  if (tariff) parts.push(t('channel.tariff', { number: tariff }));
  if (subunit) parts.push(t('channel.subunit', { number: subunit }));
  return parts.join(', ');
}
