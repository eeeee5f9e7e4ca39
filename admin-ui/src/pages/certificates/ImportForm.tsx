import { FileInput, NativeSelect, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';
import { tenantKey, useAction } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { useTenant } from '@/session/context';
import type { Import, ImportKind } from './imports';
import { LARGEST_CERTIFICATE, pemOf } from './pem';

type Policy = Import['crl_policy'];
export const POLICIES: readonly Policy[] = ['none', 'alarm', 'refuse'];
const KINDS: readonly ImportKind[] = ['ca', 'gateway', 'logger'];

interface Values extends Record<string, unknown> {
  kind: ImportKind;
  name: string;
  file: File | null;
  certificate: string;
  gateway: string;
  proof: File | null;
  crl_url: string;
  crl_policy: Policy;
}

/** What the API takes of what stands in the form. */
async function bodyOf(values: Values): Promise<Schemas['ImportNew']> {
  const certificate = values.file
    ? await pemOf(values.file, 'CERTIFICATE')
    : values.certificate.trim();
  const body: Schemas['ImportNew'] = {
    purpose: values.kind === 'logger' ? 'logger' : 'gateway',
    name: values.name.trim(),
    certificate,
  };
  if (values.kind === 'ca') {
    body.crl_policy = values.crl_policy;
    if (values.crl_url.trim()) body.crl_url = values.crl_url.trim();
  } else {
    body.gateway = values.gateway.trim();
    if (values.proof) body.proof = await pemOf(values.proof, 'CERTIFICATE REQUEST');
  }
  return body;
}

/** A CA, or the certificate of one device, from a file (PEM, DER) or pasted. */
export function ImportForm({ close, done }: { close: () => void; done: (made: Import) => void }) {
  const { t } = useTranslation('certificates');
  const { tenant } = useTenant();
  const [key, setKey] = useState(newIdempotencyKey);
  const large = (file: File | null) => (file?.size ?? 0) > LARGEST_CERTIFICATE;
  const form = useForm<Values>({
    initialValues: {
      kind: 'ca',
      name: '',
      file: null,
      certificate: '',
      gateway: '',
      proof: null,
      crl_url: '',
      crl_policy: 'none',
    },
    validate: {
      name: (name) => (name.trim() ? null : t('needed')),
      file: (file) => (large(file) ? t('tooLarge') : null),
      certificate: (text, { file }) => (text.trim() || file ? null : t('imports.fileOrText')),
      gateway: (id, { kind }) => (kind === 'ca' || id.trim() ? null : t('needed')),
      proof: (file) => (large(file) ? t('tooLarge') : null),
    },
    onValuesChange: () => setKey(newIdempotencyKey()),
  });
  const make = useAction(
    async (values: Values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/certificates', {
          params: { path: { tenant }, header: { 'Idempotency-Key': key } },
          body: await bodyOf(values),
        }),
      ),
    {
      changes: [tenantKey(tenant, 'certificates'), tenantKey(tenant, 'gateway-certificates')],
      done,
    },
  );
  const { kind } = form.getValues();
  return (
    <FormDialog
      opened
      close={close}
      title={t('imports.new')}
      action={t('imports.take')}
      size="lg"
      form={form}
      run={(values) => make.mutateAsync(values)}
    >
      <NativeSelect
        label={t('imports.kind')}
        data={KINDS.map((value) => ({ value, label: t(`imports.choose.${value}`) }))}
        data-autofocus
        {...form.getInputProps('kind')}
      />
      <Text size="sm" c="var(--emt-dimmed)">
        {t(`imports.about.${kind}`)}
      </Text>
      <TextInput label={t('name')} maxLength={100} {...form.getInputProps('name')} />
      <FileInput
        label={t('imports.file')}
        description={t('imports.fileText')}
        placeholder={t('chooseFile')}
        clearable
        clearButtonProps={{ 'aria-label': t('imports.clear') }}
        {...form.getInputProps('file')}
      />
      <Textarea
        label={t('imports.paste')}
        rows={4}
        spellCheck={false}
        classNames={{ input: 'mono' }}
        {...form.getInputProps('certificate')}
      />
      {kind === 'ca' ? (
        <CrlFields form={form} />
      ) : (
        <>
          <TextInput label={t('gateway')} maxLength={63} {...form.getInputProps('gateway')} />
          <FileInput
            label={t('imports.proof')}
            description={t('imports.proofText', {
              tenant,
              gateway: form.getValues().gateway || 'GATEWAY',
            })}
            placeholder={t('chooseFile')}
            clearable
            clearButtonProps={{ 'aria-label': t('imports.clear') }}
            {...form.getInputProps('proof')}
          />
        </>
      )}
    </FormDialog>
  );
}

interface CrlForm {
  getInputProps: (field: 'crl_url' | 'crl_policy') => object;
}

/** Where a CA's list is fetched, and what follows when it is stale. */
export function CrlFields({ form }: { form: CrlForm }) {
  const { t } = useTranslation('certificates');
  return (
    <>
      <TextInput
        label={t('crl.url')}
        description={t('crl.urlText')}
        maxLength={1000}
        {...form.getInputProps('crl_url')}
      />
      <NativeSelect
        label={t('crl.policy')}
        data={POLICIES.map((value) => ({ value, label: t(`crl.policies.${value}`) }))}
        {...form.getInputProps('crl_policy')}
      />
    </>
  );
}
