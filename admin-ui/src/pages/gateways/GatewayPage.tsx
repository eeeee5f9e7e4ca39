import {
  Anchor,
  Button,
  Modal,
  NativeSelect,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'wouter';
import { api, call, callFull, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction } from '@/api/query';
import { usePolling } from '@/api/stream';
import { Confirm } from '@/components/Confirm';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { LiveState } from '@/components/LiveState';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { OnceNotice } from '@/components/SecretOnce';
import { Ago, Time } from '@/components/Time';
import { formatBytes, formatCount } from '@/lib/decimal';
import { formatDuration } from '@/lib/time';
import { useTenant } from '@/session/context';
import { GatewayCertificates } from '../certificates/GatewayCertificates';
import { Commands } from './Commands';
import { ConnectionTone, GatewayState, connectionState, type Gateway } from './connection';
import { EnrolmentBox } from './EnrolmentBox';
import { LiveWait } from './LiveWait';
import { useGatewayEvents } from './useGatewayEvents';

type Dialog = 'edit' | 'enrol' | 'revoke';

export default function GatewayPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant, may } = useTenant();
  const { gateway: id = '' } = useParams<{ gateway: string }>();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  useGatewayEvents(tenant);
  const key = tenantKey(tenant, 'gateways', 'one', id);
  const { data, error, refetch } = useQuery({
    queryKey: key,
    queryFn: () => getGateway(tenant, id),
    refetchInterval: usePolling(tenant),
  });
  const path = [{ label: t('gateways.title'), to: `/t/${tenant}/gateways` }];
  if (error && !data) {
    return (
      <>
        <PageHeader title={id} path={path} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  }
  if (!data) return <PageLoading />;
  const close = () => setDialog(null);
  const alive = data.state !== 'revoked';
  return (
    <>
      <PageHeader
        title={data.name || data.id}
        path={path}
        badges={
          <>
            <ConnectionTone gateway={data} />
            <LiveState tenant={tenant} />
          </>
        }
      >
        {may('listHeard') && (
          <Button
            variant="default"
            component={Link}
            to={`/t/${tenant}/gateways/${encodeURIComponent(data.id)}/heard`}
          >
            {t('gateways.heardMeters')}
          </Button>
        )}
        {may('updateGateway') && (
          <Button variant="default" onClick={() => setDialog('edit')}>
            {t('common:edit')}
          </Button>
        )}
        {may('createEnrolment') && alive && (
          <Button
            variant={data.state === 'announced' ? 'filled' : 'default'}
            onClick={() => setDialog('enrol')}
          >
            {t('enrolment.title')}
          </Button>
        )}
        {may('revokeGateway') && alive && (
          <Button variant="outline" color="red" onClick={() => setDialog('revoke')}>
            {t('gateways.revoke')}
          </Button>
        )}
      </PageHeader>
      <Stack>
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <MasterData gateway={data} />
          <ConnectionPanel gateway={data} />
        </SimpleGrid>
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <StatusPanel gateway={data} />
          <SpoolPanel gateway={data} />
        </SimpleGrid>
        {may('listGatewayCertificates') && <CertificatePanel gateway={data} />}
        <Commands gateway={data} />
      </Stack>
      {dialog === 'edit' && <EditDialog gateway={data} close={close} />}
      {dialog === 'enrol' && <EnrolDialog gateway={data} close={close} />}
      {dialog === 'revoke' && <RevokeDialog gateway={data} close={close} />}
    </>
  );
}

function getGateway(tenant: string, gateway: string) {
  return call(
    api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}', {
      params: { path: { tenant, gateway } },
    }),
  );
}

function MasterData({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation('shell');
  return (
    <Panel title={t('gateways.master')}>
      <Facts
        facts={[
          { label: t('gateways.id'), value: <span className="mono">{gateway.id}</span> },
          { label: t('gateways.state'), value: <GatewayState gateway={gateway} /> },
          { label: t('gateways.place'), value: gateway.place || '–' },
          { label: t('gateways.software'), value: gateway.software || '–' },
          { label: t('gateways.hardware'), value: gateway.hardware || '–' },
          { label: t('gateways.serial'), value: gateway.serial || '–' },
          { label: t('gateways.created'), value: <Time at={gateway.created_at} /> },
        ]}
      />
    </Panel>
  );
}

const NEVER_CONNECTED: Record<Gateway['state'], string> = {
  announced: 'gateways.notEnrolled',
  enrolled: 'gateways.neverSeen',
  revoked: 'gateways.neverAndRevoked',
};

function ConnectionPanel({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation('shell');
  const { connection } = gateway;
  if (!connection) {
    return (
      <Panel title={t('gateways.connectionLabel')}>
        <Text size="sm">{t(NEVER_CONNECTED[gateway.state])}</Text>
      </Panel>
    );
  }
  return (
    <Panel title={t('gateways.connectionLabel')}>
      <Facts
        facts={[
          { label: t('gateways.now'), value: <ConnectionTone gateway={gateway} /> },
          { label: t('gateways.began'), value: <Time at={connection.since} seconds /> },
          { label: t('gateways.ended'), value: <Time at={connection.ended_at} seconds /> },
          { label: t('gateways.reason'), value: connection.reason || '–' },
          {
            label: t('gateways.peer'),
            value: <span className="mono">{connection.peer ?? '–'}</span>,
          },
          { label: 'TLS', value: connection.tls || '–' },
          { label: t('gateways.node'), value: connection.node },
          { label: t('gateways.epoch'), value: connection.epoch },
        ]}
      />
    </Panel>
  );
}

function StatusPanel({ gateway: { status } }: { gateway: Gateway }) {
  const { t, i18n } = useTranslation('shell');
  const language = i18n.language;
  return (
    <Panel title={t('gateways.statusTitle')}>
      {status ? (
        <Facts
          facts={[
            { label: t('gateways.reported'), value: <Ago at={status.at} /> },
            { label: t('gateways.uptime'), value: formatDuration(status.uptime_s, language) },
            { label: t('gateways.heard'), value: formatCount(status.frames_heard, language) },
            { label: t('gateways.owed'), value: formatCount(status.spool_frames, language) },
            { label: t('gateways.spoolSize'), value: formatBytes(status.spool_bytes, language) },
          ]}
        />
      ) : (
        <Text size="sm">{t('gateways.noStatus')}</Text>
      )}
    </Panel>
  );
}

function SpoolPanel({ gateway: { spools } }: { gateway: Gateway }) {
  const { t, i18n } = useTranslation('shell');
  return (
    <Panel title={t('gateways.spools')}>
      {spools.length === 0 ? (
        <Text size="sm">{t('gateways.noSpool')}</Text>
      ) : (
        <Stack>
          {spools.map((spool) => (
            <Facts
              key={spool.id}
              facts={[
                { label: t('gateways.spoolId'), value: <span className="mono">{spool.id}</span> },
                { label: t('gateways.updated'), value: <Ago at={spool.updated_at} /> },
                {
                  label: t('gateways.lastSeq'),
                  value: formatCount(spool.last_seq, i18n.language),
                },
                { label: t('gateways.frames'), value: formatCount(spool.frames, i18n.language) },
              ]}
            />
          ))}
        </Stack>
      )}
    </Panel>
  );
}

/** What it identifies itself with, now and before. */
function CertificatePanel({ gateway }: { gateway: Gateway }) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  return (
    <Panel
      title={t('title')}
      actions={
        <Anchor component={Link} to={`/t/${tenant}/certificates`} size="sm">
          {t('gateways.title')}
        </Anchor>
      }
    >
      <GatewayCertificates gateway={gateway.id} empty={t('gateways.noneOf')} />
    </Panel>
  );
}

interface DialogProps {
  gateway: Gateway;
  close: () => void;
}

/** Fetched anew, so that somebody else's change is seen and not overwritten. */
function EditDialog({ gateway, close }: DialogProps) {
  const { tenant } = useTenant();
  const { data } = useQuery({
    queryKey: tenantKey(tenant, 'gateways', 'edit', gateway.id),
    staleTime: 0,
    gcTime: 0,
    queryFn: async () => {
      const path = { tenant, gateway: gateway.id };
      const answer = await callFull(
        api.GET('/api/v1/tenants/{tenant}/gateways/{gateway}', { params: { path } }),
      );
      return { gateway: answer.data, etag: answer.response.headers.get('ETag') };
    },
  });
  return data ? <EditForm gateway={data.gateway} etag={data.etag} close={close} /> : null;
}

function EditForm({ gateway, etag, close }: DialogProps & { etag: string | null }) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const form = useForm({ initialValues: { name: gateway.name, place: gateway.place } });
  const save = useAction(
    (body: Schemas['GatewayPatch']) =>
      call(
        api.PATCH('/api/v1/tenants/{tenant}/gateways/{gateway}', {
          params: {
            path: { tenant, gateway: gateway.id },
            header: etag ? { 'If-Match': etag } : {},
          },
          body,
        }),
      ),
    { changes: [tenantKey(tenant, 'gateways')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('gateways.editTitle', { id: gateway.id })}
      action={t('common:save')}
      form={form}
      run={(values) => save.mutateAsync(values)}
    >
      <TextInput label={t('gateways.name')} data-autofocus {...form.getInputProps('name')} />
      <TextInput label={t('gateways.place')} {...form.getInputProps('place')} />
    </FormDialog>
  );
}

const HOURS = [4, 24, 72, 168, 720];

function EnrolDialog({ gateway, close }: DialogProps) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const [hours, setHours] = useState(72);
  const make = useAction(
    () =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/enrolment', {
          params: { path: { tenant, gateway: gateway.id } },
          body: { valid_hours: hours },
        }),
      ),
    { changes: [tenantKey(tenant, 'gateways', 'one', gateway.id)] },
  );
  return (
    <Modal
      opened
      onClose={close}
      closeOnClickOutside={!make.data}
      size={make.data ? 'xl' : 'md'}
      title={t('enrolment.titleOf', { id: gateway.id })}
      closeButtonProps={{ 'aria-label': t('common:close') }}
    >
      {make.data ? (
        <Stack>
          <OnceNotice />
          <EnrolmentBox enrolment={make.data} />
          {connectionState(gateway) !== 'connected' && (
            <LiveWait tenant={tenant} gateway={gateway.id} />
          )}
        </Stack>
      ) : (
        <Stack align="flex-start">
          <Text size="sm">{t('enrolment.text')}</Text>
          {gateway.state === 'enrolled' && <Text size="sm">{t('enrolment.again')}</Text>}
          <NativeSelect
            label={t('enrolment.valid')}
            value={String(hours)}
            data={HOURS.map((value) => ({
              value: String(value),
              label: t(value < 48 ? 'enrolment.hours' : 'enrolment.days', {
                count: value < 48 ? value : value / 24,
              }),
            }))}
            onChange={(event) => setHours(Number(event.currentTarget.value))}
          />
          <ProblemAlert error={make.error} />
          <Button loading={make.isPending} onClick={() => make.mutate(undefined)}>
            {t('enrolment.make')}
          </Button>
        </Stack>
      )}
    </Modal>
  );
}

function RevokeDialog({ gateway, close }: DialogProps) {
  const { t } = useTranslation('shell');
  const { tenant } = useTenant();
  const [reason, setReason] = useState('');
  const [idempotencyKey] = useState(newIdempotencyKey);
  const revoke = useAction(
    () =>
      call(
        api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/revoke', {
          params: {
            path: { tenant, gateway: gateway.id },
            header: { 'Idempotency-Key': idempotencyKey },
          },
          body: { reason: reason.trim() },
        }),
      ),
    { changes: [tenantKey(tenant, 'gateways'), tenantKey(tenant, 'overview')] },
  );
  return (
    <Confirm
      opened
      close={close}
      title={t('gateways.revokeTitle', { id: gateway.id })}
      text={t('gateways.revokeText')}
      action={t('gateways.revoke')}
      ready={reason.trim() !== ''}
      run={() => revoke.mutateAsync(undefined)}
    >
      <Textarea
        label={t('gateways.revokeReason')}
        description={t('gateways.revokeReasonText')}
        value={reason}
        maxLength={500}
        autosize
        minRows={2}
        data-autofocus
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirm>
  );
}
