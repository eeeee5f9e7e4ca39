import {
  Button,
  Group,
  Modal,
  Select,
  Stack,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { Tone } from '@/components/measure/Tone';
import { PageHeader } from '@/components/PageHeader';
import { isRole, useRoleOptions, type Role } from '@/components/roles';
import { RowMenu } from '@/components/RowMenu';
import { OnceNotice, SecretOnce } from '@/components/SecretOnce';
import { Time } from '@/components/Time';
import { scopeAreas, scopesOf, type AreaGrant } from '@/lib/scopes';
import { useTenant } from '@/session/context';

type ApiKey = Schemas['ApiKey'];

const DAYS = ['30', '90', '365', 'never'] as const;

/** Keys of programs: billing, dashboards, scripts. */
export default function ApiKeysPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant, may } = useTenant();
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<{ name: string; text: string } | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const key = tenantKey(tenant, 'api-keys');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/api-keys', {
        params: { path: { tenant }, query: { cursor } },
      }),
    ),
  );
  const revoke = useAction(
    (key_id: number) =>
      call(
        api.DELETE('/api/v1/tenants/{tenant}/api-keys/{key_id}', {
          params: { path: { tenant, key_id } },
        }),
      ),
    { changes: [key] },
  );
  const create = may('createApiKey') && (
    <Button onClick={() => setCreating(true)}>{t('apiKeys.new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('apiKeys.title')} text={t('apiKeys.text')}>
        {create}
      </PageHeader>
      <DataTable
        label={t('apiKeys.title')}
        list={list}
        rowKey={({ id }) => id}
        minWidth={900}
        columns={[
          {
            key: 'name',
            title: t('apiKeys.name'),
            width: 'minmax(140px, 1.3fr)',
            cell: ({ name }) => name,
          },
          {
            key: 'role',
            title: t('users.role'),
            width: 'minmax(150px, 1fr)',
            cell: ({ role }) => t(`common:role.${role}`),
          },
          {
            key: 'scopes',
            title: t('apiKeys.scopes'),
            width: 'minmax(150px, 1.3fr)',
            cell: ({ scopes }) =>
              scopes.length === 0 ? (
                t('apiKeys.allScopes')
              ) : (
                <span title={scopes.join(', ')}>{scopes.join(', ')}</span>
              ),
          },
          {
            key: 'state',
            title: t('users.state'),
            width: '130px',
            cell: (apiKey) => <KeyState apiKey={apiKey} />,
          },
          {
            key: 'expires',
            title: t('apiKeys.expires'),
            width: '140px',
            cell: ({ expires_at }) => (expires_at ? <Time at={expires_at} /> : t('common:never')),
          },
          {
            key: 'used',
            title: t('apiKeys.lastUsed'),
            width: '140px',
            cell: ({ last_used_at }) =>
              last_used_at ? <Time at={last_used_at} /> : t('common:never'),
          },
          {
            key: 'menu',
            title: '',
            width: '32px',
            cell: (apiKey) => (
              <RowMenu
                label={t('apiKeys.actions', { name: apiKey.name })}
                actions={
                  may('revokeApiKey') && !apiKey.revoked_at
                    ? [{ label: t('apiKeys.revoke'), danger: true, run: () => setRevoking(apiKey) }]
                    : []
                }
              />
            ),
          },
        ]}
        empty={
          <EmptyState title={t('apiKeys.none')} text={t('apiKeys.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {creating && (
        <CreateDialog
          close={() => setCreating(false)}
          made={(name, text) => setSecret({ name, text })}
        />
      )}
      {revoking && (
        <Confirm
          opened
          close={() => setRevoking(null)}
          title={t('apiKeys.revoke')}
          text={t('apiKeys.revokeText', { name: revoking.name })}
          action={t('apiKeys.revoke')}
          run={() => revoke.mutateAsync(revoking.id)}
        />
      )}
      <Modal
        opened={secret !== null}
        onClose={() => setSecret(null)}
        closeOnClickOutside={false}
        title={secret?.name}
        closeButtonProps={{ 'aria-label': t('common:close') }}
      >
        {secret && (
          <Stack>
            <OnceNotice />
            <SecretOnce label={t('apiKeys.key')} value={secret.text} text={t('apiKeys.keyText')} />
            <Group justify="flex-end">
              <Button onClick={() => setSecret(null)}>{t('common:done')}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </>
  );
}

function KeyState({ apiKey }: { apiKey: ApiKey }) {
  const { t } = useTranslation('shell');
  if (apiKey.revoked_at) return <Tone tone="bad">{t('apiKeys.revoked')}</Tone>;
  const over = apiKey.expires_at && new Date(apiKey.expires_at) < new Date();
  return over ? (
    <Tone tone="wait">{t('apiKeys.expired')}</Tone>
  ) : (
    <Tone tone="good">{t('apiKeys.valid')}</Tone>
  );
}

function expiry(days: string): string | undefined {
  return days === 'never'
    ? undefined
    : new Date(Date.now() + Number(days) * 86_400_000).toISOString().replace(/\.\d+/, '');
}

function CreateDialog({
  close,
  made,
}: {
  close: () => void;
  made: (name: string, text: string) => void;
}) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const options = useRoleOptions();
  const form = useForm({
    initialValues: {
      name: '',
      role: 'reader' as Role,
      days: '365',
      scopes: {} as Record<string, AreaGrant>,
    },
    validate: { name: (value) => (value.trim() ? null : t('common:form.required')) },
  });
  const create = useAction(
    ({ name, role, days, scopes }: typeof form.values) =>
      call(
        api.POST('/api/v1/tenants/{tenant}/api-keys', {
          params: { path: { tenant } },
          body: { name: name.trim(), role, scopes: scopesOf(scopes), expires_at: expiry(days) },
        }),
      ),
    {
      changes: [tenantKey(tenant, 'api-keys')],
      done: ({ key, api_key }) => made(key.name, api_key),
    },
  );
  return (
    <FormDialog
      opened
      close={close}
      size="lg"
      title={t('apiKeys.new')}
      action={t('common:create')}
      form={form}
      run={(values) => create.mutateAsync(values)}
    >
      <TextInput
        label={t('apiKeys.name')}
        description={t('apiKeys.nameText')}
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <Group grow align="start">
        <Select
          label={t('users.role')}
          data={options}
          value={form.values.role}
          allowDeselect={false}
          onChange={(role) => {
            if (isRole(role)) form.setFieldValue('role', role);
          }}
        />
        <Select
          label={t('apiKeys.validFor')}
          data={DAYS.map((value) => ({ value, label: t(`apiKeys.days.${value}`) }))}
          allowDeselect={false}
          {...form.getInputProps('days')}
        />
      </Group>
      <ScopeTable
        value={form.values.scopes}
        onChange={(scopes) => form.setFieldValue('scopes', scopes)}
      />
    </FormDialog>
  );
}

interface ScopeTableProps {
  value: Record<string, AreaGrant>;
  onChange: (value: Record<string, AreaGrant>) => void;
}

/** Per area: nothing, read, read and write. Nothing anywhere means: all that the role allows. */
function ScopeTable({ value, onChange }: ScopeTableProps) {
  const { t } = useTranslation('shell');
  return (
    <Stack gap={4}>
      <Text size="sm" fw={500}>
        {t('apiKeys.scopes')}
      </Text>
      <Text size="xs" c="var(--emt-dimmed)">
        {t('apiKeys.scopesText')}
      </Text>
      <Table withRowBorders={false} verticalSpacing={2}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('apiKeys.area')}</Table.Th>
            <Table.Th w={90}>{t('apiKeys.read')}</Table.Th>
            <Table.Th w={90}>{t('apiKeys.write')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {scopeAreas.map((area) => (
            <Table.Tr key={area}>
              <Table.Td>{t(`apiKeys.areas.${area}`)}</Table.Td>
              {(['read', 'write'] as const).map((grant) => (
                <Table.Td key={grant}>
                  <label>
                    <VisuallyHidden>
                      {t(`apiKeys.areas.${area}`)}: {t(`apiKeys.${grant}`)}
                    </VisuallyHidden>
                    <input
                      type="checkbox"
                      checked={value[area]?.[grant] ?? false}
                      onChange={(event) =>
                        onChange({
                          ...value,
                          [area]: { ...value[area], [grant]: event.currentTarget.checked },
                        })
                      }
                    />
                  </label>
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
