import { Button, Group, Radio, SimpleGrid, Stack, Stepper, Text, TextInput } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { asApiError } from '@/api/problem';
import { Facts } from '@/components/Facts';
import { Tone } from '@/components/measure/Tone';
import { MpIdInput } from '@/components/MpIdInput';
import { PageHeader } from '@/components/PageHeader';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { OnceNotice, SecretOnce } from '@/components/SecretOnce';
import { checkMpId } from '@/lib/mpId';
import { GATEWAY_ID, TENANT_KEY, USER_NAME, proposeTenantKey } from '@/lib/tenantKey';
import { EnrolmentBox } from '@/pages/gateways/EnrolmentBox';
import { LiveWait } from '@/pages/gateways/LiveWait';
import { POLICIES } from '@/pages/tenant/policies';
import { sessionQuery } from '@/session/session';
import { nextStep, runWizard, wizardSteps, type WizardResult, type WizardValues } from './wizard';

type Form = UseFormReturnType<WizardValues>;

const FIELDS: (keyof WizardValues)[][] = [
  ['name', 'key', 'own_mp_id'],
  ['gateway', 'user'],
];

/** A new tenant with its first administrator and its first gateway, up to the live connection. */
export default function TenantWizardPage() {
  const { t } = useTranslation(['shell', 'common']);
  const client = useQueryClient();
  const [at, setAt] = useState(0);
  const [result, setResult] = useState<WizardResult>({});
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const form = useForm<WizardValues>({
    initialValues: {
      name: '',
      key: '',
      own_mp_id: '',
      device_policy: 'learn',
      gateway: 'gw-1',
      place: '',
      user: '',
      display_name: '',
    },
    validate: {
      name: (value) => (value.trim() ? null : t('common:form.required')),
      key: (value) => (TENANT_KEY.test(value) ? null : t('tenants.keyRule')),
      own_mp_id: (value) => (!value || checkMpId(value).ok ? null : t('mpId.digits')),
      gateway: (value) => (GATEWAY_ID.test(value) ? null : t('gateways.idRule')),
      user: (value) => (USER_NAME.test(value) ? null : t('users.nameRule')),
    },
  });
  const forward = () => {
    const checks = (FIELDS[at] ?? []).map((field) => form.validateField(field).hasError);
    if (!checks.includes(true)) setAt(at + 1);
  };
  const make = async () => {
    setBusy(true);
    setError(null);
    try {
      await runWizard(form.values, result, setResult);
      await Promise.all([
        client.invalidateQueries({ queryKey: ['platform', 'tenants'] }),
        client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ]);
      setAt(3);
    } catch (failure) {
      setError(failure);
      const { problem } = asApiError(failure);
      if (problem?.field === 'key') {
        form.setFieldError('key', problem.detail ?? problem.title);
        setAt(0);
      } else if (problem?.field === 'name' && result.tenant) {
        form.setFieldError('user', problem.detail ?? problem.title);
        setAt(1);
      }
    } finally {
      setBusy(false);
    }
  };
  const done = nextStep(result) === null;
  return (
    <>
      <PageHeader
        title={t('wizard.title')}
        text={t('wizard.text')}
        path={[{ label: t('tenants.title'), to: '/operator/tenants' }]}
      />
      <Stack maw={920}>
        <Stepper active={at} size="sm" allowNextStepsSelect={false}>
          <Stepper.Step label={t('wizard.steps.tenant')} />
          <Stepper.Step label={t('wizard.steps.first')} />
          <Stepper.Step label={t('wizard.steps.check')} />
          <Stepper.Step label={t('wizard.steps.live')} />
        </Stepper>
        {at === 0 && <TenantStep form={form} fixed={Boolean(result.tenant)} />}
        {at === 1 && <FirstStep form={form} result={result} />}
        {at === 2 && <CheckStep values={form.values} result={result} busy={busy} />}
        <ProblemAlert error={error} />
        {done ? (
          <LiveStep values={form.values} result={result} />
        ) : (
          <Group>
            {at > 0 && (
              <Button variant="default" onClick={() => setAt(at - 1)} disabled={busy}>
                {t('common:back')}
              </Button>
            )}
            {at < 2 ? (
              <Button onClick={forward}>{t('common:next')}</Button>
            ) : (
              <Button loading={busy} onClick={() => void make()}>
                {t(error ? 'wizard.goOn' : 'wizard.make')}
              </Button>
            )}
          </Group>
        )}
      </Stack>
    </>
  );
}

function TenantStep({ form, fixed }: { form: Form; fixed: boolean }) {
  const { t } = useTranslation('shell');
  const rename = (name: string) => {
    const proposed = proposeTenantKey(form.values.name);
    const untouched = form.values.key === '' || form.values.key === proposed;
    form.setFieldValue('name', name);
    if (untouched) rekey(proposeTenantKey(name));
  };
  const rekey = (key: string) => {
    const { user } = form.values;
    if (user === '' || user === `admin@${form.values.key}`) {
      form.setFieldValue('user', key ? `admin@${key}` : '');
    }
    form.setFieldValue('key', key);
  };
  return (
    <Panel title={t('wizard.steps.tenant')}>
      <Stack maw={560}>
        <TextInput
          label={t('tenants.name')}
          placeholder="Stadtwerke Grünau GmbH"
          autoComplete="organization"
          disabled={fixed}
          autoFocus
          {...form.getInputProps('name')}
          onChange={(event) => rename(event.currentTarget.value)}
        />
        <TextInput
          label={t('tenants.key')}
          description={t('tenants.keyText')}
          autoComplete="off"
          spellCheck={false}
          disabled={fixed}
          classNames={{ input: 'mono' }}
          {...form.getInputProps('key')}
          onChange={(event) => rekey(event.currentTarget.value)}
        />
        <MpIdInput {...form.getInputProps('own_mp_id')} disabled={fixed} />
        <Radio.Group label={t('tenants.policy')} {...form.getInputProps('device_policy')}>
          <Stack gap="xs" mt={6}>
            {POLICIES.map((value) => (
              <Radio
                key={value}
                value={value}
                label={t(`tenants.policies.${value}`)}
                description={t(`tenants.policyText.${value}`)}
              />
            ))}
          </Stack>
        </Radio.Group>
      </Stack>
    </Panel>
  );
}

function FirstStep({ form, result }: { form: Form; result: WizardResult }) {
  const { t } = useTranslation('shell');
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Panel title={t('wizard.admin')}>
        <Stack>
          <TextInput
            label={t('users.name')}
            description={t('users.nameRule')}
            autoComplete="off"
            spellCheck={false}
            disabled={Boolean(result.user)}
            autoFocus
            {...form.getInputProps('user')}
          />
          <TextInput
            label={t('users.displayName')}
            autoComplete="off"
            disabled={Boolean(result.user)}
            {...form.getInputProps('display_name')}
          />
        </Stack>
      </Panel>
      <Panel title={t('wizard.gateway')}>
        <Stack>
          <TextInput
            label={t('gateways.id')}
            description={t('gateways.idText')}
            autoComplete="off"
            spellCheck={false}
            disabled={Boolean(result.gateway)}
            {...form.getInputProps('gateway')}
          />
          <TextInput
            label={t('gateways.place')}
            disabled={Boolean(result.gateway)}
            {...form.getInputProps('place')}
          />
        </Stack>
      </Panel>
    </SimpleGrid>
  );
}

interface CheckProps {
  values: WizardValues;
  result: WizardResult;
  busy: boolean;
}

function CheckStep({ values, result, busy }: CheckProps) {
  const { t } = useTranslation('shell');
  const next = nextStep(result);
  return (
    <Panel title={t('wizard.steps.check')}>
      <Stack>
        <Facts
          facts={[
            { label: t('tenants.name'), value: values.name },
            { label: t('tenants.key'), value: values.key },
            { label: t('tenants.mpId'), value: values.own_mp_id || '–' },
            { label: t('tenants.policy'), value: t(`tenants.policies.${values.device_policy}`) },
            { label: t('wizard.admin'), value: values.user },
            { label: t('wizard.gateway'), value: values.gateway },
          ]}
        />
        <Text size="sm">{t('wizard.checkText')}</Text>
        <Stack gap={4} component="ul" m={0} p={0} aria-live="polite">
          {wizardSteps.map((name) => (
            <Text key={name} component="li" size="sm" style={{ listStyle: 'none' }}>
              <Tone tone={result[name] ? 'good' : busy && name === next ? 'wait' : 'calm'}>
                {t(`wizard.make_${name}`)}
              </Tone>
            </Text>
          ))}
        </Stack>
      </Stack>
    </Panel>
  );
}

function LiveStep({ values, result }: { values: WizardValues; result: WizardResult }) {
  const { t } = useTranslation('shell');
  const { user, apiKey, enrolment } = result;
  return (
    <Stack>
      {enrolment && (
        <>
          <LiveWait tenant={values.key} gateway={values.gateway} />
          <OnceNotice />
          <Panel title={t('wizard.gatewayNow')}>
            <EnrolmentBox enrolment={enrolment} />
          </Panel>
        </>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        {user && (
          <Panel title={t('wizard.admin')}>
            <Stack>
              <SecretOnce label={t('users.name')} value={user.name} />
              <SecretOnce
                label={t('users.oneTimePassword')}
                value={user.password}
                text={t('users.oneTimeText')}
              />
            </Stack>
          </Panel>
        )}
        {apiKey && (
          <Panel title={t('wizard.apiKey')}>
            <SecretOnce label={t('apiKeys.key')} value={apiKey} text={t('wizard.apiKeyText')} />
          </Panel>
        )}
      </SimpleGrid>
      <Group>
        <Button component={Link} to={`/t/${values.key}`}>
          {t('wizard.toTenant')}
        </Button>
      </Group>
    </Stack>
  );
}
