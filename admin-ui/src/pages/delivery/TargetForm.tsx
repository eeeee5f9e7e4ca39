import {
  Alert,
  Checkbox,
  NativeSelect,
  NumberInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, callFull, newIdempotencyKey } from '@/api/client';
import { ApiError, asApiError } from '@/api/problem';
import { tenantKey } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { useTenant } from '@/session/context';
import { SecretField } from './SecretField';
import {
  addresses,
  FIELDS_OF,
  hasSecret,
  isSecret,
  SECRETS,
  TARGET_KINDS,
  targetBody,
  targetValues,
  type SecretName,
  type Target,
  type TargetBody,
  type TargetField,
  type TargetKind,
  type TargetValues,
} from './targetFields';
import { changedFields, ifMatch, useGuarded, type Versioned } from './versioned';

const LONG: readonly SecretName[] = ['private_key', 'client_key', 'sign_key'];
const PEMS: readonly TargetField[] = [
  'ca',
  'client_certificate',
  'sign_certificate',
  'encrypt_certificates',
];
/** fields of several lines */
const LINES: readonly TargetField[] = [...PEMS, 'mail_to', 'mail_cc', 'mail_bcc', 'mail_text'];
const NEEDED: Partial<Record<TargetKind, readonly TargetField[]>> = {
  local: ['path'],
  sftp: ['host', 'user', 'host_key'],
  ftp: ['host'],
  ftps: ['host'],
  'ftps-implicit': ['host'],
  https: ['host', 'path'],
  mail: ['host', 'mail_from', 'mail_to'],
};
const PORTS: Record<TargetKind, number> = {
  local: 0,
  sftp: 22,
  ftp: 21,
  ftps: 21,
  'ftps-implicit': 990,
  https: 443,
  mail: 587,
};

export async function loadTarget(tenant: string, id: number): Promise<Versioned<Target>> {
  const { data, response } = await callFull(
    api.GET('/api/v1/tenants/{tenant}/targets/{target_id}', {
      params: { path: { tenant, target_id: id } },
    }),
  );
  return { value: data, etag: response.headers.get('ETag') };
}

/** The server names a mail's parts as delivery knows them: the form's fields have a prefix. */
function atField(failure: unknown, values: TargetValues): unknown {
  const error = asApiError(failure);
  const field = `mail_${error.problem?.field}`;
  return error.problem && field in values
    ? new ApiError(error.kind, error.status, { ...error.problem, field }, error.retryAfterS)
    : failure;
}

export function NewTarget({ close }: { close: () => void }) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  return (
    <TargetForm
      target={null}
      close={close}
      title={t('targets.new')}
      action={t('common:create')}
      changed={() => setKey(newIdempotencyKey())}
      save={(body) =>
        call(
          api.POST('/api/v1/tenants/{tenant}/targets', {
            params: { path: { tenant }, header: { 'Idempotency-Key': key } },
            body,
          }),
        )
      }
    />
  );
}

export function EditTarget({ current, close }: { current: Versioned<Target>; close: () => void }) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const { before, seen, guard } = useGuarded(current, () => loadTarget(tenant, current.value.id));
  return (
    <TargetForm
      target={before}
      seen={seen}
      close={close}
      title={t('target.editTitle', { name: before.name })}
      action={t('common:save')}
      save={(body) => {
        const changed = changedFields(body, before);
        if (Object.keys(changed).length === 0) return Promise.resolve();
        return guard((etag) =>
          call(
            api.PATCH('/api/v1/tenants/{tenant}/targets/{target_id}', {
              params: { path: { tenant, target_id: before.id }, header: ifMatch(etag) },
              body: changed,
            }),
          ),
        );
      }}
    />
  );
}

interface Props {
  target: Target | null;
  /** as the server has it now, where somebody else changed it meanwhile */
  seen?: Target;
  close: () => void;
  title: string;
  action: string;
  changed?: () => void;
  save: (body: TargetBody) => Promise<unknown>;
}

function TargetForm({ target, seen, close, title, action, changed, save }: Props) {
  const { t } = useTranslation('delivery');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const form = useForm<TargetValues>({
    initialValues: targetValues(target),
    validate: (values) => {
      const faults: Record<string, string> = {};
      if (!values.name.trim()) faults.name = t('common:form.required');
      for (const field of NEEDED[values.kind] ?? [])
        if (!String(values[field]).trim()) faults[field] = t('common:form.required');
      if (values.kind === 'sftp' && values.host_key && !/^SHA256:.{43}$/.test(values.host_key))
        faults.host_key = t('target.hostKeyFault');
      if (values.kind === 'mail' && addresses(values.mail_to).some((one) => !one.includes('@')))
        faults.mail_to = t('target.addressFault');
      return faults;
    },
    onValuesChange: () => changed?.(),
  });
  const { kind } = form.values;
  const run = async (values: TargetValues) => {
    try {
      await save(targetBody(values));
    } catch (failure) {
      throw atField(failure, values);
    }
    // What was typed must not stay in the browser longer than it has to.
    form.setValues(Object.fromEntries(SECRETS.map((name) => [name, ''])));
    await client.invalidateQueries({ queryKey: tenantKey(tenant, 'targets') });
    notifications.show({
      message: t('common:saved'),
      closeButtonProps: { 'aria-label': t('common:close') },
    });
  };
  const needed = (field: TargetField) => NEEDED[kind]?.includes(field) ?? false;
  const news =
    target && seen
      ? Object.keys(changedFields(targetBody(targetValues(seen)), target)).map((field) =>
          t(`target.${field}`, field),
        )
      : [];
  const field = (name: TargetField | SecretName) => {
    const label = t(`target.${name}`);
    const hint = t(`targetHint.${name}`, '') || undefined;
    const input = { key: name, label, description: hint, ...form.getInputProps(name) };
    if (isSecret(name))
      return (
        <SecretField
          key={name}
          label={label}
          description={hint}
          stored={hasSecret(target, name)}
          long={LONG.includes(name)}
          value={form.values[name]}
          onChange={(value) => form.setFieldValue(name, value)}
          error={form.errors[name]}
        />
      );
    if (name === 'plain_allowed' || name === 'implicit_tls')
      return (
        <Checkbox
          key={name}
          label={label}
          description={hint}
          {...form.getInputProps(name, { type: 'checkbox' })}
        />
      );
    if (name === 'port')
      return (
        <NumberInput
          {...input}
          key={name}
          min={1}
          max={65535}
          allowDecimal={false}
          hideControls
          placeholder={String(form.values.implicit_tls && kind === 'mail' ? 465 : PORTS[kind])}
        />
      );
    if (LINES.includes(name))
      return (
        <Textarea
          {...input}
          key={name}
          required={needed(name)}
          autosize
          minRows={name === 'mail_cc' || name === 'mail_bcc' ? 1 : 2}
          maxRows={8}
          spellCheck={name === 'mail_text'}
          {...(PEMS.includes(name) ? { classNames: { input: 'mono' } } : {})}
        />
      );
    return (
      <TextInput
        {...input}
        key={name}
        required={needed(name)}
        description={name === 'path' ? t(`targetHint.path_${kind}`, hint ?? '') : hint}
        autoComplete="off"
        spellCheck={false}
        maxLength={name === 'mail_subject' ? 200 : 1000}
      />
    );
  };
  return (
    <FormDialog opened close={close} title={title} action={action} form={form} run={run} size="lg">
      <TextInput
        label={t('target.name')}
        required
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <TextInput
        label={t('target.partner')}
        description={t('target.partnerHint')}
        maxLength={100}
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps('partner')}
      />
      <NativeSelect
        label={t('target.kind')}
        description={target ? t('target.kindFixed') : t(`kindText.${kind}`)}
        disabled={target !== null}
        data={TARGET_KINDS.map((value) => ({ value, label: t(`kind.${value}`) }))}
        {...form.getInputProps('kind')}
      />
      {FIELDS_OF[kind].map(field)}
      {target && <Text size="xs">{t('target.secretAgain')}</Text>}
      {news.length > 0 && (
        <Alert color="orange" title={t('news')}>
          {news.join(', ')}
        </Alert>
      )}
    </FormDialog>
  );
}
