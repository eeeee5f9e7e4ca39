import { createContext, useContext } from 'react';
import type { OperationId } from '@/api/access';
import { roleMay } from './permission';
import type { Session, TenantRole } from './session';

const SessionContext = createContext<Session | null>(null);
export const SessionProvider = SessionContext.Provider;

/** Only below the log-in: there always is one. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession outside of a session');
  return session;
}

export function platformRole(session: Session): TenantRole | null {
  const role = session.user.platform_role;
  return role === 'none' ? null : role;
}

/** May this user do something on the platform itself? */
export function useMay(operation: OperationId): boolean {
  return roleMay(platformRole(useSession()), operation);
}

export interface TenantScope {
  /** key in addresses */
  tenant: string;
  name: string;
  role: TenantRole | null;
  may: (operation: OperationId) => boolean;
}

const TenantContext = createContext<TenantScope | null>(null);
export const TenantProvider = TenantContext.Provider;

/** Only on pages below /t/:tenant. */
export function useTenant(): TenantScope {
  const scope = useContext(TenantContext);
  if (!scope) throw new Error('useTenant outside of a tenant');
  return scope;
}
