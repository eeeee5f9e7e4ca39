import createClient, { type Middleware } from 'openapi-fetch';
import { apiError, asApiError } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

let csrfToken: string | null = null;
let onSessionEnd: () => void = () => undefined;

/** The token of the running session; every unsafe request carries it. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** Called when the server no longer knows the session (401 on anything but the log-in itself). */
export function setSessionEndHandler(handler: () => void): void {
  onSessionEnd = handler;
}

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

export const sessionMiddleware: Middleware = {
  onRequest({ request }) {
    if (csrfToken && !SAFE.includes(request.method)) {
      request.headers.set('X-CSRF-Token', csrfToken);
    }
    return request;
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && !schemaPath.startsWith('/api/v1/session')) onSessionEnd();
    return response;
  },
};

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  // Looked up per call, so that tests can put their own in place.
  fetch: (request) => globalThis.fetch(request),
});
api.use(sessionMiddleware);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Resolves to the answer's body or throws an ApiError. */
export async function call<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await callFull(request)).data;
}

/** As call(), with the response beside it: for ETag, Location and replays. */
export async function callFull<T>(
  request: Promise<Answer<T>>,
): Promise<{ data: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    throw asApiError(error);
  }
  if (!answer.response.ok) throw apiError(answer.response, answer.error);
  return { data: answer.data as T, response: answer.response };
}

/** A fresh key for one user action; sent again when the same action is repeated after an error. */
export function newIdempotencyKey(): string {
  return crypto.randomUUID();
}
