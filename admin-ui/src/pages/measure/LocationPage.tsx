import { Button, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useParams } from 'wouter';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { EmptyState } from '@/components/EmptyState';
import { Facts } from '@/components/Facts';
import { FormDialog } from '@/components/FormDialog';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import { Mandates } from '../values/Mandates';
import { AddBinding, Bindings } from './Bindings';

type Location = Schemas['Location'];

export default function LocationPage() {
  const { t } = useTranslation('measure');
  const { tenant, may } = useTenant();
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const code = decodeURIComponent(useParams<{ code: string }>().code ?? '');
  const [binding, setBinding] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [editing, setEditing] = useState(false);
  const location = useQuery({
    queryKey: tenantKey(tenant, 'location', code),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/locations/{location}', {
          params: { path: { tenant, location: code } },
        }),
      ),
  });
  const bindings = useQuery({
    queryKey: tenantKey(tenant, 'location', code, 'bindings'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/locations/{location}/bindings', {
          params: { path: { tenant, location: code } },
        }),
      ),
  });
  const path = [{ label: t('locations.title'), to: `/t/${tenant}/locations` }];
  if (location.error && !location.data)
    return (
      <>
        <PageHeader title={code} path={path} />
        <ProblemAlert error={location.error} retry={() => void location.refetch()} />
      </>
    );
  if (!location.data) return <PageLoading />;
  const { data } = location;
  const bound = (bindings.data?.items.length ?? 0) > 0;
  return (
    <>
      <PageHeader
        title={data.name || code}
        path={path}
        badges={<Text size="sm">{t(`locationKind.${data.kind}`)}</Text>}
      >
        {may('deleteLocation') && !bound && bindings.data && (
          <Button variant="default" onClick={() => setDeleting(true)}>
            {t('common:delete')}
          </Button>
        )}
        {may('updateLocation') && (
          <Button variant="default" onClick={() => setEditing(true)}>
            {t('location.edit')}
          </Button>
        )}
        {may('createBinding') && (
          <Button onClick={() => setBinding(true)}>{t('binding.add')}</Button>
        )}
      </PageHeader>
      <Panel title={t('location.facts')}>
        <Facts
          facts={[
            { label: t('location.code'), value: <span className="mono break">{code}</span> },
            { label: t('location.kind'), value: t(`locationKind.${data.kind}`) },
            { label: t('location.name'), value: data.name || '–' },
            {
              label: t('location.receiver'),
              value: <span className="mono">{data.receiver_mp_id ?? '–'}</span>,
            },
            { label: t('location.created'), value: <Time at={data.created_at} /> },
          ]}
        />
      </Panel>
      <div style={{ height: 16 }} />
      <Panel title={t('binding.title')}>
        <ProblemAlert error={bindings.error} retry={() => void bindings.refetch()} />
        {bindings.data && !bound && (
          <EmptyState title={t('binding.empty')} text={t('binding.emptyText')}>
            {may('createBinding') && (
              <Button size="xs" onClick={() => setBinding(true)}>
                {t('binding.add')}
              </Button>
            )}
          </EmptyState>
        )}
        {bindings.data && bound && <Bindings code={code} items={bindings.data.items} />}
      </Panel>
      {may('listMandates') && (
        <>
          <div style={{ height: 16 }} />
          <Mandates location={code} />
        </>
      )}
      {binding && <AddBinding code={code} close={() => setBinding(false)} />}
      {editing && <EditLocation location={data} close={() => setEditing(false)} />}
      <Confirm
        opened={deleting}
        close={() => setDeleting(false)}
        title={t('location.deleteTitle')}
        text={t('location.deleteText', { code })}
        action={t('common:delete')}
        run={async () => {
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/locations/{location}', {
              params: { path: { tenant, location: code } },
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'locations') });
          navigate(`/t/${tenant}/locations`);
        }}
      />
    </>
  );
}

function EditLocation({ location, close }: { location: Location; close: () => void }) {
  const { t } = useTranslation('measure');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: location.name, receiver_mp_id: location.receiver_mp_id ?? '' },
    validate: {
      receiver_mp_id: (value) =>
        value === '' || /^\d{13}$/.test(value) ? null : t('location.receiverFault'),
    },
  });
  return (
    <FormDialog
      opened
      close={close}
      title={t('location.edit')}
      action={t('common:save')}
      form={form}
      run={async ({ name, receiver_mp_id }) => {
        await call(
          api.PATCH('/api/v1/tenants/{tenant}/locations/{location}', {
            params: { path: { tenant, location: location.code } },
            body: { name, receiver_mp_id: receiver_mp_id || null },
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'location', location.code) });
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'locations') });
      }}
    >
      <TextInput
        label={t('location.name')}
        maxLength={200}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <TextInput
        label={t('location.receiver')}
        description={t('location.receiverHint')}
        maxLength={13}
        classNames={{ input: 'mono' }}
        {...form.getInputProps('receiver_mp_id')}
      />
    </FormDialog>
  );
}
