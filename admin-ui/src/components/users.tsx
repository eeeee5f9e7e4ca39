import { TextInput, type TextInputProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { QueryKey } from '@tanstack/react-query';
import { useAction } from '@/api/query';
import { Confirm } from './Confirm';
import type { Column } from './DataTable';
import type { Issued } from './OneTimePassword';
import { RowMenu, type RowAction } from './RowMenu';
import { Time } from './Time';
import { UserState } from './UserState';

/** What a tenant's users and those of the platform have in common. */
export interface Account {
  id: number;
  name: string;
  display_name: string;
  disabled_at: string | null;
  one_time: boolean;
  last_login_at: string | null;
}

/** `own`: what one list has beside the other, between who it is and how it stands. */
export function useUserColumns<User extends Account>(
  own: Column<User>[],
  actions: (user: User) => RowAction[],
): Column<User>[] {
  const { t } = useTranslation(['shell', 'common']);
  return [
    {
      key: 'name',
      title: t('users.name'),
      width: 'minmax(190px, 1.3fr)',
      cell: ({ name }) => name,
    },
    {
      key: 'display',
      title: t('users.displayName'),
      width: 'minmax(140px, 1fr)',
      cell: ({ display_name }) => display_name || '–',
    },
    ...own,
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
  ];
}

/** The name of somebody new. */
export function UserNameInput(props: TextInputProps) {
  const { t } = useTranslation('shell');
  return (
    <TextInput
      label={t('users.name')}
      description={t('users.nameRule')}
      autoComplete="off"
      spellCheck={false}
      data-autofocus
      {...props}
    />
  );
}

export type UserDeed = 'disable' | 'enable' | 'reset' | 'remove';

interface DeedProps {
  what: UserDeed;
  user: Account;
  close: () => void;
  /** the list that shows it */
  queryKey: QueryKey;
  issued: (issued: Issued) => void;
  reset: () => Promise<{ password: string }>;
  disable: (disabled: boolean) => Promise<unknown>;
  remove?: () => Promise<unknown>;
}

/** Asks once more, and does it. */
export function UserDeedDialog(props: DeedProps) {
  const { what, user, close, queryKey, issued, reset, disable, remove } = props;
  const { t } = useTranslation('shell');
  const act = useAction(
    async () => {
      if (what === 'reset') issued({ name: user.name, password: (await reset()).password });
      else if (what === 'remove') await remove?.();
      else await disable(what === 'disable');
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
