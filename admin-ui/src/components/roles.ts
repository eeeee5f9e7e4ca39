import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';

export type Role = Schemas['Role'];

export const roles: Role[] = [
  'reader',
  'field-technician',
  'data-manager',
  'certificate-manager',
  'tenant-admin',
];

export function isRole(value: string | null): value is Role {
  return roles.includes(value as Role);
}

export function useRoleOptions(): { value: Role; label: string }[] {
  const { t } = useTranslation();
  return roles.map((value) => ({ value, label: t(`role.${value}`) }));
}
