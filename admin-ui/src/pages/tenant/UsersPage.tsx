import { Button, Select, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { OneTimePassword, type Issued } from '@/components/OneTimePassword';
import { PageHeader } from '@/components/PageHeader';
import { isRole, useRoleOptions, type Role } from '@/components/roles';
import { UserDeedDialog, UserNameInput, useUserColumns, type UserDeed } from '@/components/users';
import { USER_NAME } from '@/lib/tenantKey';
import { useSession, useTenant } from '@/session/context';

type TenantUser = Schemas['TenantUser'];
type Deed = 'edit' | UserDeed;

/** People who may log in for this tenant. */
export default function UsersPage() {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant, may } = useTenant();
  const { user: me } = useSession();
  const [creating, setCreating] = useState(false);
  const [deed, setDeed] = useState<{ what: Deed; user: TenantUser } | null>(null);
  const [issued, setIssued] = useState<Issued | null>(null);
  const key = tenantKey(tenant, 'users');
  const list = useCursorList(key, (cursor) =>
    call(
      api.GET('/api/v1/tenants/{tenant}/users', {
        params: { path: { tenant }, query: { cursor } },
      }),
    ),
  );
  const actions = (user: TenantUser) => {
    const offer = (what: Deed, danger = false) => ({
      label: t(`users.do.${what}`),
      danger,
      run: () => setDeed({ what, user }),
    });
    if (user.id === me.id) return [];
    return [
      ...(may('updateTenantUser') ? [offer('edit')] : []),
      ...(may('resetTenantUserPassword') ? [offer('reset')] : []),
      ...(may('updateTenantUser') ? [offer(user.disabled_at ? 'enable' : 'disable')] : []),
      ...(may('deleteTenantUser') ? [offer('remove', true)] : []),
    ];
  };
  const columns = useUserColumns(
    [
      {
        key: 'role',
        title: t('users.role'),
        width: 'minmax(170px, 1fr)',
        cell: ({ role }) => t(`common:role.${role}`),
      },
    ],
    actions,
  );
  const create = may('createTenantUser') && (
    <Button onClick={() => setCreating(true)}>{t('users.new')}</Button>
  );
  return (
    <>
      <PageHeader title={t('users.title')} text={t('users.text')}>
        {create}
      </PageHeader>
      <DataTable
        label={t('users.title')}
        list={list}
        rowKey={({ id }) => id}
        columns={columns}
        empty={
          <EmptyState title={t('users.none')} text={t('users.noneText')}>
            {create}
          </EmptyState>
        }
      />
      {creating && (
        <CreateDialog close={() => setCreating(false)} queryKey={key} issued={setIssued} />
      )}
      {deed?.what === 'edit' && (
        <EditDialog user={deed.user} close={() => setDeed(null)} queryKey={key} />
      )}
      {deed && deed.what !== 'edit' && (
        <DeedDialog
          what={deed.what}
          user={deed.user}
          close={() => setDeed(null)}
          queryKey={key}
          issued={setIssued}
        />
      )}
      <OneTimePassword issued={issued} close={() => setIssued(null)} />
    </>
  );
}

interface DialogProps {
  close: () => void;
  queryKey: readonly unknown[];
}

function CreateDialog({ close, queryKey, issued }: DialogProps & { issued: (i: Issued) => void }) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const form = useForm({
    initialValues: { name: '', display_name: '', role: 'reader' as Role },
    validate: { name: (value) => (USER_NAME.test(value) ? null : t('users.nameRule')) },
  });
  const create = useAction(
    (body: Schemas['TenantUserNew']) =>
      call(api.POST('/api/v1/tenants/{tenant}/users', { params: { path: { tenant } }, body })),
    {
      changes: [queryKey],
      done: ({ user, password }) => issued({ name: user.name, password }),
    },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('users.new')}
      action={t('common:create')}
      form={form}
      run={(values) => create.mutateAsync(values)}
    >
      <UserNameInput {...form.getInputProps('name')} />
      <TextInput
        label={t('users.displayName')}
        autoComplete="off"
        {...form.getInputProps('display_name')}
      />
      <RoleSelect value={form.values.role} onChange={(role) => form.setFieldValue('role', role)} />
    </FormDialog>
  );
}

function RoleSelect({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  const { t } = useTranslation('shell');
  return (
    <Select
      label={t('users.role')}
      description={t(`users.roleText.${value}`)}
      data={useRoleOptions()}
      value={value}
      allowDeselect={false}
      onChange={(role) => {
        if (isRole(role)) onChange(role);
      }}
    />
  );
}

function EditDialog({ user, close, queryKey }: DialogProps & { user: TenantUser }) {
  const { t } = useTranslation(['shell', 'common']);
  const { tenant } = useTenant();
  const form = useForm({ initialValues: { display_name: user.display_name, role: user.role } });
  const update = useAction(
    (body: Schemas['TenantUserPatch']) =>
      call(
        api.PATCH('/api/v1/tenants/{tenant}/users/{user_id}', {
          params: { path: { tenant, user_id: user.id } },
          body,
        }),
      ),
    { changes: [queryKey] },
  );
  return (
    <FormDialog
      opened
      close={close}
      title={t('users.editTitle', { name: user.name })}
      action={t('common:save')}
      form={form}
      run={({ display_name, role }) =>
        update.mutateAsync({
          ...(role !== user.role ? { role } : {}),
          ...(display_name !== user.display_name ? { display_name } : {}),
        })
      }
    >
      <TextInput label={t('users.displayName')} {...form.getInputProps('display_name')} />
      <RoleSelect value={form.values.role} onChange={(role) => form.setFieldValue('role', role)} />
    </FormDialog>
  );
}

function DeedDialog({
  user,
  ...rest
}: DialogProps & { what: UserDeed; user: TenantUser; issued: (i: Issued) => void }) {
  const { tenant } = useTenant();
  const params = { path: { tenant, user_id: user.id } };
  return (
    <UserDeedDialog
      {...rest}
      user={user}
      reset={() =>
        call(api.POST('/api/v1/tenants/{tenant}/users/{user_id}/one-time-password', { params }))
      }
      disable={(disabled) =>
        call(api.PATCH('/api/v1/tenants/{tenant}/users/{user_id}', { params, body: { disabled } }))
      }
      remove={() => call(api.DELETE('/api/v1/tenants/{tenant}/users/{user_id}', { params }))}
    />
  );
}
