import { Button, Checkbox, Group, NumberInput, Select, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, call, callFull, type Schemas } from '@/api/client';
import { asApiError } from '@/api/problem';
import { tenantKey, useAction } from '@/api/query';
import { PageHeader } from '@/components/PageHeader';
import { PageLoading } from '@/components/PageLoading';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { MpIdInput } from '@/components/MpIdInput';
import { checkMpId } from '@/lib/mpId';
import { useTenant } from '@/session/context';
import { POLICIES } from './policies';

type Tenant = Schemas['Tenant'];

/** Name and rules of a tenant. */
export default function SettingsPage() {
  const { t } = useTranslation('shell');
  const { tenant } = useTenant();
  const { data, error, refetch, dataUpdatedAt } = useQuery({
    queryKey: tenantKey(tenant, 'settings'),
    refetchOnWindowFocus: false,
    queryFn: async () => {
      const answer = await callFull(
        api.GET('/api/v1/tenants/{tenant}', { params: { path: { tenant } } }),
      );
      return { tenant: answer.data, etag: answer.response.headers.get('ETag') };
    },
  });
  return (
    <>
      <PageHeader title={t('settings.title')} text={t('settings.text')} />
      <ProblemAlert error={error} retry={() => void refetch()} />
      {!data && !error && <PageLoading />}
      {data && <SettingsForm key={dataUpdatedAt} tenant={data.tenant} etag={data.etag} />}
    </>
  );
}

function SettingsForm({ tenant, etag }: { tenant: Tenant; etag: string | null }) {
  const { t } = useTranslation(['shell', 'common']);
  const form = useForm({
    initialValues: {
      name: tenant.name,
      own_mp_id: tenant.own_mp_id ?? '',
      device_policy: tenant.device_policy,
      profile_tolerance_s: tenant.profile_tolerance_s,
      raw_retention_days: tenant.raw_retention_days,
      reading_retention_days: tenant.reading_retention_days,
      daily_retention_days: tenant.daily_retention_days,
      compact_after_days: tenant.compact_after_days,
      raw_pack_after_days: tenant.raw_pack_after_days,
      mandates_required: tenant.mandates_required,
    },
    validate: {
      name: (value) => (value.trim() ? null : t('common:form.required')),
      own_mp_id: (value) => (!value || checkMpId(value).ok ? null : t('mpId.digits')),
    },
  });
  const save = useAction(
    (values: typeof form.values) =>
      call(
        api.PATCH('/api/v1/tenants/{tenant}', {
          params: { path: { tenant: tenant.key }, header: etag ? { 'If-Match': etag } : {} },
          body: { ...values, own_mp_id: values.own_mp_id || null },
        }),
      ),
    {
      changes: [
        tenantKey(tenant.key, 'settings'),
        tenantKey(tenant.key, 'tenant'),
        ['session'],
        ['platform', 'tenants'],
      ],
      done: () =>
        notifications.show({
          message: t('common:saved'),
          closeButtonProps: { 'aria-label': t('common:close') },
        }),
    },
  );
  const submit = form.onSubmit((values) =>
    save.mutate(values, {
      onError: (failure) => {
        const { problem } = asApiError(failure);
        if (problem?.field && problem.field in values) {
          form.setFieldError(problem.field, problem.detail ?? problem.title);
        }
      },
    }),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack maw={620}>
        <Panel title={t('settings.company')}>
          <Stack>
            <TextInput label={t('tenants.name')} {...form.getInputProps('name')} />
            <TextInput
              label={t('tenants.key')}
              value={tenant.key}
              readOnly
              description={t('settings.keyFixed')}
            />
            <MpIdInput {...form.getInputProps('own_mp_id')} />
          </Stack>
        </Panel>
        <Panel title={t('settings.rules')}>
          <Stack>
            <Select
              label={t('tenants.policy')}
              description={t(`tenants.policyText.${form.values.device_policy}`)}
              data={POLICIES.map((value) => ({ value, label: t(`tenants.policies.${value}`) }))}
              allowDeselect={false}
              {...form.getInputProps('device_policy')}
            />
            <NumberInput
              label={t('settings.tolerance')}
              description={t('settings.toleranceText')}
              min={0}
              max={450}
              allowDecimal={false}
              {...form.getInputProps('profile_tolerance_s')}
            />
            <NumberInput
              label={t('settings.rawDays')}
              description={t('settings.rawDaysText')}
              min={1}
              allowDecimal={false}
              {...form.getInputProps('raw_retention_days')}
            />
            <NumberInput
              label={t('settings.readingDays')}
              min={1}
              allowDecimal={false}
              {...form.getInputProps('reading_retention_days')}
            />
            <NumberInput
              label={t('settings.dailyDays')}
              description={t('settings.dailyDaysText')}
              min={1}
              allowDecimal={false}
              {...form.getInputProps('daily_retention_days')}
            />
            <NumberInput
              label={t('settings.compact')}
              description={t('settings.compactText')}
              min={1}
              max={3650}
              allowDecimal={false}
              {...form.getInputProps('compact_after_days')}
            />
            <NumberInput
              label={t('settings.pack')}
              description={t('settings.packText')}
              min={4}
              allowDecimal={false}
              {...form.getInputProps('raw_pack_after_days')}
            />
            <Checkbox
              label={t('settings.mandates')}
              description={t('settings.mandatesText')}
              {...form.getInputProps('mandates_required', { type: 'checkbox' })}
            />
          </Stack>
        </Panel>
        <ProblemAlert error={save.error} />
        <Group>
          <Button type="submit" loading={save.isPending} disabled={!form.isDirty()}>
            {t('common:save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
