import { Anchor, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Facts } from '@/components/Facts';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { FrameStateTone, QualityTone } from '@/components/measure/Tone';
import { useFilters } from '@/components/measure/useFilters';
import { useTenant } from '@/session/context';
import { DeliveryTone } from './DeliveryTone';
import { Notes } from './Notes';
import { SentTone } from './sent';

type Trace = Schemas['Trace'];

/** One value: the telegrams it can come from, and every file, delivery and answer that carried it. */
export default function TracePage() {
  const { t } = useTranslation(['sent', 'values']);
  const { tenant } = useTenant();
  const id = Number(useParams<{ channel: string }>().channel);
  const [{ at = '' }] = useFilters(['at']);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'channel', id, 'trace', at),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/channels/{channel}/trace', {
          params: { path: { tenant, channel: id }, query: { at } },
        }),
      ),
  });
  const path = [{ label: t('values:channel.title', { id }), to: `/t/${tenant}/channels/${id}` }];
  return (
    <>
      <PageHeader title={t('trace.title')} path={path} />
      <ProblemAlert error={error} retry={() => void refetch()} />
      {!data && !error && <PageLoading />}
      {data && (
        <Stack gap="md">
          <Value trace={data} />
          <Frames trace={data} />
          <Sent trace={data} />
        </Stack>
      )}
    </>
  );
}

function Value({ trace: { value, at, device, channel } }: { trace: Trace }) {
  const { t } = useTranslation(['sent', 'values']);
  const { tenant } = useTenant();
  return (
    <Panel title={t('trace.value')}>
      <Facts
        facts={[
          { label: t('values:value.at'), value: <Time at={at} seconds /> },
          { label: t('trace.value'), value: value ? <b>{value.value}</b> : t('trace.none') },
          {
            label: t('values:value.quality'),
            value: value ? <QualityTone quality={value.quality} /> : '–',
          },
          {
            label: t('trace.channel'),
            value: (
              <Anchor component={Link} size="sm" to={`/t/${tenant}/channels/${channel}`}>
                {channel}
              </Anchor>
            ),
          },
          {
            label: t('values:channel.device'),
            value: device ? (
              <Anchor
                component={Link}
                size="sm"
                className="mono"
                to={`/t/${tenant}/devices/${encodeURIComponent(device)}`}
              >
                {device}
              </Anchor>
            ) : (
              '–'
            ),
          },
        ]}
      />
    </Panel>
  );
}

function Frames({ trace: { frames } }: { trace: Trace }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  return (
    <Panel title={t('trace.frames')}>
      <Text size="sm" c="var(--emt-dimmed)">
        {t(frames.length > 0 ? 'trace.framesText' : 'trace.noFrames')}
      </Text>
      {frames.length > 0 && (
        <Table.ScrollContainer minWidth={560}>
          <Table mt="xs" fz="sm" verticalSpacing={4}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('trace.received')}</Table.Th>
                <Table.Th>{t('trace.gateway')}</Table.Th>
                <Table.Th>{t('trace.frame')}</Table.Th>
                <Table.Th>{t('file.state')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {frames.map((frame) => (
                <Table.Tr key={`${frame.gateway}/${frame.spool}/${frame.seq}`}>
                  <Table.Td>
                    <Time at={frame.received_at} seconds />
                    {frame.holds_value && <b> ({t('trace.same')})</b>}
                  </Table.Td>
                  <Table.Td>
                    <Anchor
                      component={Link}
                      size="sm"
                      to={`/t/${tenant}/gateways/${encodeURIComponent(frame.gateway)}`}
                    >
                      {frame.gateway}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <Anchor
                      component={Link}
                      size="sm"
                      className="mono"
                      to={`/t/${tenant}/frames/${frame.gateway}/${frame.spool}/${frame.seq}`}
                    >
                      {frame.seq}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <FrameStateTone state={frame.state} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Panel>
  );
}

function Sent({ trace: { sent, more } }: { trace: Trace }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  return (
    <Panel title={t('trace.sent')}>
      <Text size="sm" c="var(--emt-dimmed)" mb="xs">
        {t(sent.length > 0 ? 'trace.sentText' : 'trace.notSent')}
      </Text>
      <Stack gap="md">
        {sent.map(({ message, file, deliveries, acknowledgements }) => (
          <Stack key={message.id} gap={4} component="article">
            <Facts
              facts={[
                {
                  label: t('file.reference'),
                  value: (
                    <Anchor
                      component={Link}
                      size="sm"
                      className="mono"
                      to={`/t/${tenant}/exports/${file.id}`}
                    >
                      {file.reference}
                    </Anchor>
                  ),
                },
                { label: t('messages.document'), value: message.document },
                {
                  label: t('messages.location'),
                  value: <span className="mono break">{message.location}</span>,
                },
                { label: t('file.receiver'), value: <span className="mono">{file.receiver}</span> },
                { label: t('file.state'), value: <SentTone state={message.state} /> },
                {
                  label: t('file.deliveries'),
                  value:
                    deliveries.length === 0
                      ? '–'
                      : deliveries.map((one) => (
                          <span key={one.id}>
                            {one.target_name} <DeliveryTone state={one.state} />
                          </span>
                        )),
                },
              ]}
            />
            {acknowledgements.length > 0 && <Notes notes={acknowledgements} />}
          </Stack>
        ))}
      </Stack>
      {more && <Text size="sm">{t('trace.more')}</Text>}
    </Panel>
  );
}
