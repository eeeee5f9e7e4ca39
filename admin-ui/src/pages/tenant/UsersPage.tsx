import { Button, Select, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call, type Schemas } from '@/api/client';
import { tenantKey, useAction, useCursorList } from '@/api/query';
import { Confirm } from '@/components/Confirm';
import { DataTable } from '@/components/DataTable';
import { EmptyState } from '@/components/EmptyState';
import { FormDialog } from '@/components/FormDialog';
import { OneTimePassword, type Issued } from '@/components/OneTimePassword';
import { PageHeader } from '@/components/PageHeader';
import { isRole, useRoleOptions, type Role } from '@/components/roles';
import { RowMenu } from '@/components/RowMenu';
import { Time } from '@/components/Time';
import { UserState } from '@/components/UserState';
import { USER_NAME } from '@/lib/tenantKey';
import { useSession, useTenant } from '@/session/context';

type TenantUser = Schemas['TenantUser'];
type Deed = 'edit' | 'disable' | 'enable' | 'reset' | 'remove';

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
        columns={[
          {
            key: 'name',
            title: t('users.name'),
            width: 'minmax(190px, 1.2fr)',
            cell: ({ name }) => name,
          },
          {
            key: 'display',
            title: t('users.displayName'),
            width: 'minmax(140px, 1.4fr)',
            cell: ({ display_name }) => display_name || '–',
          },
          {
            key: 'role',
            title: t('users.role'),
            width: 'minmax(170px, 1fr)',
            cell: ({ role }) => t(`common:role.${role}`),
          },
          {
            key: 'state',
            title: t('users.state'),
            width: '170px',
            cell: (user) => <UserState user={user} />,
          },
          {
            key: 'login',
            title: t('users.lastLogin'),
            width: '150px',
            cell: ({ last_login_at }) =>
              last_login_at ? <Time at={last_login_at} /> : t('common:never'),
          },
          {
            key: 'menu',
            title: '',
            width: '32px',
            cell: (user) => (
              <RowMenu label={t('users.actions', { name: user.name })} actions={actions(user)} />
            ),
          },
        ]}
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
      <TextInput
        label={t('users.name')}
        description={t('users.nameRule')}
        autoComplete="off"
        spellCheck={false}
        data-autofocus
        {...form.getInputProps('name')}
      />
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
  what,
  user,
  close,
  queryKey,
  issued,
}: DialogProps & {
  what: Exclude<Deed, 'edit'>;
  user: TenantUser;
  issued: (i: Issued) => void;
}) {
  const { t } = useTranslation('shell');
  const { tenant } = useTenant();
  const params = { path: { tenant, user_id: user.id } };
  const act = useAction(
    async () => {
      if (what === 'reset') {
        const { password } = await call(
          api.POST('/api/v1/tenants/{tenant}/users/{user_id}/one-time-password', { params }),
        );
        issued({ name: user.name, password });
      } else if (what === 'remove') {
        await call(api.DELETE('/api/v1/tenants/{tenant}/users/{user_id}', { params }));
      } else {
        await call(
          api.PATCH('/api/v1/tenants/{tenant}/users/{user_id}', {
            params,
            body: { disabled: what === 'disable' },
          }),
        );
      }
    },
    { changes: [queryKey] },
  );
  return (
    <Confirm
      opened
      close={close}
      title={t(`users.do.${what}`)}
      text={t(`users.ask.${what}`, { name: user.display_name || user.name })}
      action={t(`users.do.${what}`)}
      danger={what === 'remove' || what === 'disable'}
      run={() => act.mutateAsync(undefined)}
    />
  );
}
