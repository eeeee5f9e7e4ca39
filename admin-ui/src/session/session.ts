import { queryOptions } from '@tanstack/react-query';
import { api, call, setCsrfToken, setSessionEndHandler, type Schemas } from '@/api/client';
import { asApiError } from '@/api/problem';
import { queryClient } from '@/api/query';

export type Session = Schemas['Session'];
export type TenantRole = Session['tenants'][number]['role'];

// The cookie cannot be seen from here. This note that there should be one spares visitors who are
// not logged in a request that can only be refused.
const NOTE = 'emt.session';

function noted(): boolean {
  try {
    return localStorage.getItem(NOTE) !== null;
  } catch {
    return true;
  }
}

function note(there: boolean): void {
  try {
    if (there) localStorage.setItem(NOTE, '1');
    else localStorage.removeItem(NOTE);
  } catch {
    // Without storage the server is asked each time.
  }
}

/** null: nobody is logged in. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  staleTime: 5 * 60_000,
  queryFn: async (): Promise<Session | null> => {
    if (!noted()) return null;
    try {
      const session = await call(api.GET('/api/v1/session'));
      setCsrfToken(session.csrf_token);
      return session;
    } catch (error) {
      if (asApiError(error).kind !== 'unauthorized') throw error;
      note(false);
      setCsrfToken(null);
      return null;
    }
  },
});

/** Why somebody who was working stands before the log-in page again; read once by it. */
let endReason: 'expired' | 'logout' | null = null;

export function sessionEndReason(): typeof endReason {
  return endReason;
}

function forget(reason: typeof endReason): void {
  endReason = reason;
  note(false);
  setCsrfToken(null);
  queryClient.setQueryData(sessionQuery.queryKey, null);
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
}

/** The server no longer knows the session. */
export function sessionExpired(): void {
  if (queryClient.getQueryData(sessionQuery.queryKey)) forget('expired');
}

setSessionEndHandler(sessionExpired);

export interface Credentials {
  name: string;
  password: string;
  newPassword?: string | undefined;
}

export async function login({ name, password, newPassword }: Credentials): Promise<Session> {
  const session = await call(
    api.POST('/api/v1/sessions', {
      body: { name, password, ...(newPassword ? { new_password: newPassword } : {}) },
    }),
  );
  endReason = null;
  note(true);
  setCsrfToken(session.csrf_token);
  queryClient.setQueryData(sessionQuery.queryKey, session);
  return session;
}

/** Also when the server cannot be asked the browser forgets what it knew. */
export async function logout(): Promise<void> {
  try {
    await call(api.DELETE('/api/v1/session'));
  } finally {
    forget('logout');
  }
}
