import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { useAction, useCursorList } from '@/api/query';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { OneTimePassword, type Issued } from '@/components/OneTimePassword';
import { PageHeader } from '@/components/PageHeader';
import { isRole, useRoleOptions } from '@/components/roles';
import { UserDeedDialog, UserNameInput, useUserColumns, type UserDeed } from '@/components/users';
import { TENANT_KEY, USER_NAME } from '@/lib/tenantKey';
import { useMay, useSession } from '@/session/context';

type User = Schemas['User'];
type PlatformRole = Schemas['PlatformRole'];
type Membership = Schemas['Membership'];

const KEY = ['platform', 'users'];
const PLATFORM_ROLES: PlatformRole[] = ['none', 'operator', 'auditor'];

/** Everybody who can log in: operators, auditors and the people of all tenants. */
export default function PlatformUsersPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { user: me } = useSession();
  const mayCreate = useMay('createUser');
  const mayChange = useMay('updateUser');
  const [form, setForm] = useState<User | 'new' | null>(null);
  const [deed, setDeed] = useState<{ what: UserDeed; user: User } | null>(null);
  const [issued, setIssued] = useState<Issued | null>(null);
  const list = useCursorList(KEY, (cursor) =>
    call(api.GET('/api/v1/users', { params: { query: { cursor } } })),
  );
  const actions = (user: User) => {
    if (!mayChange || user.id === me.id) return [];
    const off = user.disabled_at ? 'enable' : 'disable';
    return [
      { label: t('users.do.edit'), run: () => setForm(user) },
      { label: t('users.do.reset'), run: () => setDeed({ what: 'reset', user }) },
      {
        label: t(`users.do.${off}`),
        run: () => setDeed({ what: off, user }),
        danger: off === 'disable',
      },
    ];
  };
  const columns = useUserColumns(
    [
      {
        key: 'platform',
        title: t('users.platformRole'),
        width: '150px',
        cell: ({ platform_role }) =>
          platform_role === 'none' ? '–' : t(`common:role.${platform_role}`),
      },
      {
        key: 'tenants',
        title: t('users.memberships'),
        width: 'minmax(180px, 1.6fr)',
        cell: ({ memberships }) =>
          memberships
            .map(({ tenant, role }) => `${tenant} (${t(`common:role.${role}`)})`)
            .join(', ') || '–',
      },
    ],
    actions,
  );
  const create = mayCreate && <Button onClick={() => setForm('new')}>{t('users.new')}</Button>;
  return (
    <>
      <PageHeader title={t('users.platformTitle')} text={t('users.platformText')}>
        {create}
      </PageHeader>
      <DataTable
        label={t('users.platformTitle')}
        list={list}
        rowKey={({ id }) => id}
        minWidth={1080}
        columns={columns}
        empty={<EmptyState title={t('users.none')}>{create}</EmptyState>}
      />
      {form && (
        <UserDialog
          user={form === 'new' ? null : form}
          close={() => setForm(null)}
          issued={setIssued}
        />
      )}
      {deed && <DeedDialog {...deed} close={() => setDeed(null)} issued={setIssued} />}
      <OneTimePassword issued={issued} close={() => setIssued(null)} />
    </>
  );
}

interface UserDialogProps {
  user: User | null;
  close: () => void;
  issued: (issued: Issued) => void;
}

function UserDialog({ user, close, issued }: UserDialogProps) {
  const { t } = useTranslation(['shell', 'common']);
  const form = useForm({
    initialValues: {
      name: user?.name ?? '',
      display_name: user?.display_name ?? '',
      platform_role: user?.platform_role ?? ('none' as PlatformRole),
      memberships: user?.memberships ?? ([] as Membership[]),
    },
    validate: {
      name: (value) => (user || USER_NAME.test(value) ? null : t('users.nameRule')),
      memberships: { tenant: (value) => (TENANT_KEY.test(value) ? null : t('tenants.keyRule')) },
    },
  });
  const save = useAction(
    async (values: typeof form.values) => {
      const { name, ...body } = values;
      if (user) {
        await call(
          api.PATCH('/api/v1/users/{user_id}', { params: { path: { user_id: user.id } }, body }),
        );
      } else {
        const created = await call(api.POST('/api/v1/users', { body: { name, ...body } }));
        issued({ name: created.user.name, password: created.password });
      }
    },
    { changes: [KEY] },
  );
  return (
    <FormDialog
      opened
      close={close}
      size="lg"
      title={user ? t('users.editTitle', { name: user.name }) : t('users.new')}
      action={t(user ? 'common:save' : 'common:create')}
      form={form}
      run={(values) => save.mutateAsync(values)}
    >
      {!user && <UserNameInput {...form.getInputProps('name')} />}
      <TextInput
        label={t('users.displayName')}
        autoComplete="off"
        {...form.getInputProps('display_name')}
      />
      <Select
        label={t('users.platformRole')}
        data={PLATFORM_ROLES.map((value) => ({ value, label: t(`common:role.${value}`) }))}
        allowDeselect={false}
        {...form.getInputProps('platform_role')}
      />
      <Memberships
        value={form.values.memberships}
        errors={form.errors}
        onChange={(memberships) => form.setFieldValue('memberships', memberships)}
      />
    </FormDialog>
  );
}

interface MembershipsProps {
  value: Membership[];
  errors: Record<string, React.ReactNode>;
  onChange: (value: Membership[]) => void;
}

function Memberships({ value, errors, onChange }: MembershipsProps) {
  const { t } = useTranslation('shell');
  const options = useRoleOptions();
  const change = (index: number, part: Partial<Membership>) =>
    onChange(value.map((entry, at) => (at === index ? { ...entry, ...part } : entry)));
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        {t('users.memberships')}
      </Text>
      {value.map(({ tenant, role }, index) => (
        <Group key={index} gap="xs" align="start" wrap="nowrap">
          <TextInput
            flex={1}
            aria-label={t('tenants.key')}
            placeholder={t('tenants.key')}
            value={tenant}
            error={errors[`memberships.${index}.tenant`]}
            onChange={(event) => change(index, { tenant: event.currentTarget.value.trim() })}
          />
          <Select
            flex={1}
            aria-label={t('users.role')}
            data={options}
            value={role}
            allowDeselect={false}
            onChange={(next) => {
              if (isRole(next)) change(index, { role: next });
            }}
          />
          <Button
            variant="default"
            aria-label={t('users.dropMembership', { tenant })}
            onClick={() => onChange(value.filter((_, at) => at !== index))}
          >
            ×
          </Button>
        </Group>
      ))}
      <Group>
        <Button
          variant="default"
          size="xs"
          onClick={() => onChange([...value, { tenant: '', role: 'reader' }])}
        >
          {t('users.addMembership')}
        </Button>
      </Group>
    </Stack>
  );
}

interface DeedProps {
  what: UserDeed;
  user: User;
  close: () => void;
  issued: (issued: Issued) => void;
}

function DeedDialog({ user, ...rest }: DeedProps) {
  const params = { path: { user_id: user.id } };
  return (
    <UserDeedDialog
      {...rest}
      user={user}
      queryKey={KEY}
      reset={() => call(api.POST('/api/v1/users/{user_id}/one-time-password', { params }))}
      disable={(disabled) =>
        call(api.PATCH('/api/v1/users/{user_id}', { params, body: { disabled } }))
      }
    />
  );
}
