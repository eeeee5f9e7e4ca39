import { operations, type OperationId } from '@/api/access';
import type { TenantRole } from './session';

/**
 * Whether a role may call an operation; the table comes from the API's own document, so a button
 * is offered exactly where the server would say yes.
 */
export function roleMay(role: TenantRole | null, operation: OperationId): boolean {
  const { access, roles, unsafe } = operations[operation];
  if (access === 'public' || access === 'any' || access === 'session') return true;
  if (role === 'operator') return true;
  if (role === 'auditor') return !unsafe;
  return access === 'tenant' && role !== null && (roles as readonly string[]).includes(role);
}
