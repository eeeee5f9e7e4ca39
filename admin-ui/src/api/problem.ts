import type { components } from './schema';

export type Problem = components['schemas']['Problem'];

export type ProblemKind =
  | 'offline'
  | 'unauthorized'
  | 'password-change-required'
  | 'throttled'
  | 'csrf'
  | 'forbidden'
  | 'scope'
  | 'not-found'
  | 'conflict'
  | 'precondition'
  | 'idempotency'
  | 'invalid'
  | 'too-large'
  | 'unavailable'
  | 'server';

const BY_STATUS: Record<number, ProblemKind> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'not-found',
  412: 'precondition',
  413: 'too-large',
  415: 'invalid',
  422: 'invalid',
  429: 'throttled',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

const BY_TYPE: readonly ProblemKind[] = [
  'password-change-required',
  'csrf',
  'scope',
  'precondition',
  'idempotency',
];

/** What went wrong with a request, in the server's words (RFC 9457) where it spoke. */
export class ApiError extends Error {
  readonly kind: ProblemKind;
  readonly status: number;
  readonly problem: Problem | null;
  readonly retryAfterS: number | null;

  constructor(
    kind: ProblemKind,
    status: number,
    problem: Problem | null,
    retryAfterS: number | null = null,
  ) {
    super(problem?.detail ?? problem?.title ?? kind);
    this.name = 'ApiError';
    this.kind = kind;
    this.status = status;
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }
}

export function problemName(problem: Problem | null): string {
  return problem?.type?.split(':').at(-1) ?? '';
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'title' in value && 'type' in value;
}

export function problemKind(status: number, problem: Problem | null): ProblemKind {
  const named = BY_TYPE.find((kind) => kind === problemName(problem));
  return named ?? BY_STATUS[status] ?? (status >= 500 ? 'server' : 'invalid');
}

export function apiError(response: Response, body: unknown): ApiError {
  const problem = isProblem(body) ? body : null;
  const wait = Number(response.headers.get('Retry-After'));
  return new ApiError(
    problemKind(response.status, problem),
    response.status,
    problem,
    Number.isFinite(wait) && wait > 0 ? wait : null,
  );
}

/** Anything thrown becomes an ApiError; what fetch itself throws means: no answer at all. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('offline', 0, null);
}
