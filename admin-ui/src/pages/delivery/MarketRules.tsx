import { Button, Group, NativeSelect, NumberInput, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { FormDialog } from '@/components/FormDialog';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';

type Gap = Schemas['ExportPolicyNew']['gap'];
type Method = NonNullable<Schemas['ExportPolicyNew']['method']>;
const GAPS: readonly Gap[] = ['spans', 'hold', 'provisional', 'substitute'];
const METHODS: readonly Method[] = ['Z92', 'ZJ2'];
const PIDS = ['13018', '13025', '13019', '13016', '13027', '13008', '13009'] as const;

/** What exports do about intervals without energy. */
export function GapPolicies() {
  const { t } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [setting, setSetting] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const key = tenantKey(tenant, 'export-policies');
  const { data, error, refetch } = useQuery({
    queryKey: key,
    queryFn: () =>
      call(api.GET('/api/v1/tenants/{tenant}/export-policies', { params: { path: { tenant } } })),
  });
  const remove = async (use_case: string) => {
    setFailure(null);
    try {
      await call(
        api.DELETE('/api/v1/tenants/{tenant}/export-policies/{use_case}', {
          params: { path: { tenant, use_case } },
        }),
      );
      await client.invalidateQueries({ queryKey: key });
    } catch (problem) {
      setFailure(problem);
    }
  };
  const name = (pid: string) => (pid === 'default' ? t('gaps.default') : pid);
  return (
    <Panel
      title={t('gaps.title')}
      actions={
        may('setExportPolicy') && (
          <Button size="xs" variant="default" onClick={() => setSetting(true)}>
            {t('gaps.set')}
          </Button>
        )
      }
    >
      <ProblemAlert error={error ?? failure} retry={() => void refetch()} />
      <Text size="sm">{t('gaps.text')}</Text>
      {data && data.items.length > 0 && (
        <Table mt="xs" fz="sm" w="auto">
          <Table.Tbody>
            {data.items.map(({ use_case, gap, method, reason }) => (
              <Table.Tr key={use_case}>
                <Table.Td className="mono">{name(use_case)}</Table.Td>
                <Table.Td>{t(`gaps.kind.${gap}`)}</Table.Td>
                <Table.Td className="mono">
                  {gap === 'substitute' ? `${method} ${reason}` : '–'}
                </Table.Td>
                <Table.Td>
                  {may('deleteExportPolicy') && (
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={t('gaps.removeOf', { name: name(use_case) })}
                      onClick={() => void remove(use_case)}
                    >
                      {t('rules.remove')}
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {setting && <SetPolicy close={() => setSetting(false)} />}
    </Panel>
  );
}

function SetPolicy({ close }: { close: () => void }) {
  const { t } = useTranslation(['sent', 'measure']);
  const { tenant } = useTenant();
  const client = useQueryClient();
  const form = useForm({
    initialValues: {
      use_case: 'default',
      gap: 'spans' as Gap,
      method: 'Z92' as Method,
      reason: 'Z75',
      correction: 'ZA7',
    },
    validate: {
      reason: (value) => (/^Z[0-9A-Z]{2}$/.test(value) ? null : t('gaps.codeFault')),
      correction: (value) => (/^Z[0-9A-Z]{2}$/.test(value) ? null : t('gaps.codeFault')),
    },
  });
  return (
    <FormDialog
      opened
      close={close}
      title={t('gaps.set')}
      action={t('common:save')}
      form={form}
      run={async ({ use_case, ...body }) => {
        await call(
          api.PUT('/api/v1/tenants/{tenant}/export-policies/{use_case}', {
            params: { path: { tenant, use_case } },
            body,
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'export-policies') });
      }}
    >
      <NativeSelect
        label={t('gaps.useCase')}
        data={[
          { value: 'default', label: t('gaps.default') },
          ...PIDS.map((value) => ({ value, label: `${value} · ${t(`measure:pid.${value}`)}` })),
        ]}
        data-autofocus
        {...form.getInputProps('use_case')}
      />
      <NativeSelect
        label={t('gaps.gap')}
        data={GAPS.map((value) => ({ value, label: t(`gaps.kind.${value}`) }))}
        {...form.getInputProps('gap')}
      />
      {form.values.gap === 'substitute' && (
        <Group grow align="start">
          <NativeSelect
            label={t('gaps.method')}
            data={METHODS.map((value) => ({ value, label: t(`gaps.methods.${value}`) }))}
            {...form.getInputProps('method')}
          />
          <TextInput
            label={t('gaps.reason')}
            maxLength={3}
            classNames={{ input: 'mono' }}
            {...form.getInputProps('reason')}
          />
        </Group>
      )}
      <TextInput
        label={t('gaps.correction')}
        maxLength={3}
        classNames={{ input: 'mono' }}
        {...form.getInputProps('correction')}
      />
    </FormDialog>
  );
}

/** What files partners take. */
export function PartnerLimits() {
  const { t, i18n } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [setting, setSetting] = useState(false);
  const [removing, setRemoving] = useState<string | null>(null);
  const { data, error, refetch } = useQuery({
    queryKey: tenantKey(tenant, 'market-partners'),
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/market-partners', {
          params: { path: { tenant }, query: { limit: 1000 } },
        }),
      ),
  });
  const limit = (n: number | null) => (n === null ? '–' : formatCount(n, i18n.language));
  return (
    <Panel
      title={t('limits.title')}
      actions={
        may('setMarketPartner') && (
          <Button size="xs" variant="default" onClick={() => setSetting(true)}>
            {t('limits.set')}
          </Button>
        )
      }
    >
      <ProblemAlert error={error} retry={() => void refetch()} />
      <Text size="sm">{t('limits.text')}</Text>
      {data && data.items.length > 0 && (
        <Table mt="xs" fz="sm" w="auto">
          <Table.Tbody>
            {data.items.map(({ mp_id, name, role, file_bytes_max, file_messages_max }) => (
              <Table.Tr key={mp_id}>
                <Table.Td className="mono">{mp_id}</Table.Td>
                <Table.Td>{[name, role].filter(Boolean).join(' · ') || '–'}</Table.Td>
                <Table.Td>{t('limits.bytesOf', { n: limit(file_bytes_max) })}</Table.Td>
                <Table.Td>{t('limits.messagesOf', { n: limit(file_messages_max) })}</Table.Td>
                <Table.Td>
                  {may('deleteMarketPartner') && (
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={t('limits.removeOf', { name: mp_id })}
                      onClick={() => setRemoving(mp_id)}
                    >
                      {t('rules.remove')}
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {setting && <SetPartner close={() => setSetting(false)} />}
      <Confirm
        opened={removing !== null}
        close={() => setRemoving(null)}
        title={t('limits.removeTitle', { name: removing })}
        text={t('limits.removeText')}
        action={t('rules.remove')}
        run={async () => {
          if (removing === null) return;
          await call(
            api.DELETE('/api/v1/tenants/{tenant}/market-partners/{partner}', {
              params: { path: { tenant, partner: removing } },
            }),
          );
          await client.invalidateQueries({ queryKey: tenantKey(tenant, 'market-partners') });
        }}
      />
    </Panel>
  );
}

function SetPartner({ close }: { close: () => void }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const form = useForm<{
    partner: string;
    name: string;
    role: string;
    bytes: number | string;
    messages: number | string;
  }>({
    initialValues: { partner: '', name: '', role: '', bytes: '', messages: '' },
    validate: {
      partner: (value) => (/^\d{13}$/.test(value) ? null : t('limits.partnerFault')),
    },
  });
  return (
    <FormDialog
      opened
      close={close}
      title={t('limits.set')}
      action={t('common:save')}
      form={form}
      run={async ({ partner, name, role, bytes, messages }) => {
        await call(
          api.PUT('/api/v1/tenants/{tenant}/market-partners/{partner}', {
            params: { path: { tenant, partner } },
            body: {
              name,
              role,
              file_bytes_max: bytes === '' ? null : Number(bytes),
              file_messages_max: messages === '' ? null : Number(messages),
            },
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'market-partners') });
      }}
    >
      <TextInput
        label={t('rules.partner')}
        required
        maxLength={13}
        classNames={{ input: 'mono' }}
        data-autofocus
        {...form.getInputProps('partner')}
      />
      <Group grow align="start">
        <TextInput label={t('limits.name')} maxLength={200} {...form.getInputProps('name')} />
        <TextInput label={t('limits.role')} maxLength={20} {...form.getInputProps('role')} />
      </Group>
      <Group grow align="start">
        <NumberInput
          label={t('limits.bytes')}
          description={t('limits.hint')}
          min={10000}
          allowDecimal={false}
          {...form.getInputProps('bytes')}
        />
        <NumberInput
          label={t('limits.messages')}
          description={t('limits.hint')}
          min={1}
          allowDecimal={false}
          {...form.getInputProps('messages')}
        />
      </Group>
    </FormDialog>
  );
}
