import { Button, FileInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation, useParams } from 'wouter';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { fileName } from '@/components/measure/download';
import { Tone } from '@/components/measure/Tone';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Ago, Time } from '@/components/Time';
import { useNow } from '@/lib/useNow';
import { useTenant } from '@/session/context';
import { savePem } from './Authorities';
import { EndTone } from './EndTone';
import { CrlFields } from './ImportForm';
import { CRL_TONES, crlState, getImport, importKind, type Import } from './imports';
import { bytesOf, LARGEST_LIST, toCrlText } from './pem';
import { SeenTone } from './SeenTone';

type Dialog = 'edit' | 'list' | 'remove';

/** One certificate of others: what it says, whether it was seen, its CA's list. */
export default function ImportPage() {
  const { t } = useTranslation(['certificates', 'common']);
  const { tenant, may } = useTenant();
  const { certificate = '' } = useParams<{ certificate: string }>();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const id = Number(certificate) || 0;
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'certificates', 'one', id),
    queryFn: () => getImport(tenant, id),
    refetchInterval: 30_000,
  });
  const path = [{ label: t('title'), to: `/t/${tenant}/certificates` }];
  if (error && !data)
    return (
      <>
        <PageHeader title={certificate} path={path} />
        <ProblemAlert error={error} retry={() => void refetch()} />
      </>
    );
  if (!data) return <PageLoading />;
  const close = () => setDialog(null);
  return (
    <>
      <PageHeader title={data.name} path={path}>
        <Button
          variant="default"
          onClick={() => savePem(data.certificate, fileName(tenant, data.name))}
        >
          {t('download')}
        </Button>
        {may('updateCertificate') && (
          <Button variant="default" onClick={() => setDialog('edit')}>
            {t('common:edit')}
          </Button>
        )}
        {may('uploadCrl') && !data.pinned && (
          <Button variant="default" onClick={() => setDialog('list')}>
            {t('crl.upload')}
          </Button>
        )}
        {may('removeCertificate') && (
          <Button variant="outline" color="red" onClick={() => setDialog('remove')}>
            {t('imports.remove')}
          </Button>
        )}
      </PageHeader>
      <Stack>
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <Says certificate={data} />
          <Came certificate={data} />
        </SimpleGrid>
        {!data.pinned && <List certificate={data} />}
      </Stack>
      {dialog === 'edit' && <EditDialog certificate={data} close={close} />}
      {dialog === 'list' && <ListDialog certificate={data} close={close} />}
      {dialog === 'remove' && <RemoveDialog certificate={data} close={close} />}
    </>
  );
}

interface Props {
  certificate: Import;
}

function Says({ certificate }: Props) {
  const { t } = useTranslation('certificates');
  return (
    <Panel title={t('imports.says')}>
      <Facts
        facts={[
          { label: t('subject'), value: <span className="break">{certificate.subject}</span> },
          { label: t('serial'), value: <span className="mono break">{certificate.serial}</span> },
          {
            label: 'SHA-256',
            value: <span className="mono break">{certificate.fingerprint}</span>,
          },
          { label: t('from'), value: <Time at={certificate.not_before} /> },
          { label: t('until'), value: <Time at={certificate.not_after} /> },
          {
            label: t('ends.title'),
            value: <EndTone from={certificate.not_before} until={certificate.not_after} />,
          },
        ]}
      />
    </Panel>
  );
}

function Came({ certificate }: Props) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const { seen, gateway, pinned, proven_at } = certificate;
  const kind = importKind(certificate);
  return (
    <Panel title={t('seen.title')}>
      <Facts
        facts={[
          { label: t('imports.kind'), value: t(`imports.choose.${kind}`) },
          ...(gateway
            ? [
                {
                  label: t('gateway'),
                  value: (
                    <Link to={`/t/${tenant}/gateways/${encodeURIComponent(gateway)}`}>
                      {gateway}
                    </Link>
                  ),
                },
              ]
            : [{ label: t('seen.certificates'), value: seen.certificates }]),
          { label: t('state'), value: <SeenTone certificate={certificate} /> },
          { label: t('seen.first'), value: <Time at={seen.first} /> },
          { label: t('seen.last'), value: <Ago at={seen.last} /> },
          ...(pinned
            ? [
                {
                  label: t('seen.proof'),
                  value: proven_at ? <Time at={proven_at} /> : t('seen.noProof'),
                },
              ]
            : []),
          { label: t('imports.made'), value: <Time at={certificate.created_at} /> },
        ]}
      />
      {pinned && !seen.first && !proven_at && (
        <Text size="sm" mt="sm">
          {t('seen.claim')}
        </Text>
      )}
    </Panel>
  );
}

function List({ certificate }: Props) {
  const { t } = useTranslation('certificates');
  const now = useNow(60_000);
  const { crl, crl_error, crl_policy, crl_url } = certificate;
  const state = crlState(certificate, now);
  return (
    <Panel title={t('crl.title')}>
      <Facts
        facts={[
          {
            label: t('state'),
            value: <Tone tone={CRL_TONES[state]}>{t(`crl.states.${state}`)}</Tone>,
          },
          { label: t('crl.policy'), value: t(`crl.policies.${crl_policy}`) },
          { label: t('crl.url'), value: <span className="break">{crl_url ?? '–'}</span> },
          {
            label: t('crl.number'),
            value: <span className="mono break">{crl?.number.replace(/^0+(?=.)/, '') || '–'}</span>,
          },
          { label: t('crl.listed'), value: crl?.entries },
          { label: t('crl.source'), value: crl ? t(`crl.sources.${crl.source}`) : undefined },
          { label: t('crl.age'), value: <Ago at={crl?.this_update} /> },
          { label: t('crl.next'), value: <Time at={crl?.next_update} /> },
        ]}
      />
      {crl_error && (
        <Text size="sm" mt="sm" c="var(--emt-bad)" className="break">
          {t('crl.failed', { reason: crl_error })}
        </Text>
      )}
    </Panel>
  );
}

interface DialogProps extends Props {
  close: () => void;
}

function EditDialog({ certificate, close }: DialogProps) {
  const { t } = useTranslation(['certificates', 'common']);
  const { tenant } = useTenant();
  const { id, name, crl_url, crl_policy, pinned } = certificate;
  const form = useForm({ initialValues: { name, crl_url: crl_url ?? '', crl_policy } });
  const save = useAction(
    (body: Schemas['ImportChange']) =>
      call(
        api.PATCH('/api/v1/tenants/{tenant}/certificates/{certificate_id}', {
          params: { path: { tenant, certificate_id: id } },
          body,
        }),
      ),
    { changes: [tenantKey(tenant, 'certificates')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('imports.editTitle', { name })}
      action={t('common:save')}
      form={form}
      run={(values) =>
        save.mutateAsync(
          pinned
            ? { name: values.name.trim() }
            : {
                name: values.name.trim(),
                crl_url: values.crl_url.trim() || null,
                crl_policy: values.crl_policy,
              },
        )
      }
    >
      <TextInput label={t('name')} maxLength={100} data-autofocus {...form.getInputProps('name')} />
      {!pinned && <CrlFields form={form} />}
    </FormDialog>
  );
}

function ListDialog({ certificate: { id, name }, close }: DialogProps) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  const form = useForm<{ crl: File | null }>({
    initialValues: { crl: null },
    validate: {
      crl: (file) => (!file ? t('needed') : file.size > LARGEST_LIST ? t('tooLarge') : null),
    },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const take = useAction(
    async (file: File) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/certificates/{certificate_id}/crl', {
          params: {
            path: { tenant, certificate_id: id },
            header: { 'Idempotency-Key': key },
          },
          body: { crl: toCrlText(await bytesOf(file)) },
        }),
      ),
    { changes: [tenantKey(tenant, 'certificates'), tenantKey(tenant, 'gateway-certificates')] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('crl.uploadTitle', { name })}
      action={t('crl.take')}
      form={form}
      run={async ({ crl }) => crl && take.mutateAsync(crl)}
    >
      <FileInput
        label={t('crl.file')}
        description={t('crl.fileText')}
        placeholder={t('chooseFile')}
        data-autofocus
        {...form.getInputProps('crl')}
      />
    </FormDialog>
  );
}

function RemoveDialog({ certificate: { id, name, pinned }, close }: DialogProps) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const [, navigate] = useLocation();
  return (
    <Confirm
      opened
      close={close}
      title={t('imports.removeTitle', { name })}
      text={t(pinned ? 'imports.removePinned' : 'imports.removeCa')}
      action={t('imports.remove')}
      run={async () => {
        await call(
          api.DELETE('/api/v1/tenants/{tenant}/certificates/{certificate_id}', {
            params: { path: { tenant, certificate_id: id } },
          }),
        );
        navigate(`/t/${tenant}/certificates`);
      }}
    />
  );
}
