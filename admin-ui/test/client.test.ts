import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, call, callFull, setCsrfToken, setSessionEndHandler } from '@/api/client';
import { ApiError } from '@/api/problem';
import { shouldRetry } from '@/api/query';

const requests: Request[] = [];

function answer(status: number, body: unknown, headers: Record<string, string> = {}) {
  vi.stubGlobal('fetch', (request: Request) => {
    requests.push(request);
    return Promise.resolve(
      new Response(status === 204 ? null : JSON.stringify(body), {
        status,
        headers: { 'Content-Type': 'application/json', ...headers },
      }),
    );
  });
}

function problem(name: string, status: number) {
  return {
    type: `urn:emt:problem:${name}`,
    title: 'no',
    status,
    detail: 'field: why',
    request: 'r1',
  };
}

async function refused(request: Promise<unknown>): Promise<ApiError> {
  const error = await request.catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

const getTenant = () =>
  call(api.GET('/api/v1/tenants/{tenant}', { params: { path: { tenant: 'demo' } } }));

beforeEach(() => {
  requests.length = 0;
  setCsrfToken('token-1');
});
afterEach(() => vi.unstubAllGlobals());

describe('the CSRF token', () => {
  it('goes with every request that changes something', async () => {
    answer(204, null);
    await call(api.DELETE('/api/v1/session'));
    expect(requests[0]?.headers.get('X-CSRF-Token')).toBe('token-1');
  });

  it('does not go with reading ones, nor when there is no session', async () => {
    answer(200, {});
    await getTenant();
    expect(requests[0]?.headers.has('X-CSRF-Token')).toBe(false);
    setCsrfToken(null);
    answer(204, null);
    await call(api.DELETE('/api/v1/session'));
    expect(requests[1]?.headers.has('X-CSRF-Token')).toBe(false);
  });
});

describe('refusals', () => {
  it('keep the words of the server', async () => {
    answer(400, problem('invalid', 400));
    const error = await refused(getTenant());
    expect(error.kind).toBe('invalid');
    expect(error.problem?.detail).toBe('field: why');
    expect(error.problem?.request).toBe('r1');
  });

  it.each([
    ['csrf', 403, 'csrf'],
    ['scope', 403, 'scope'],
    ['forbidden', 403, 'forbidden'],
    ['password-change-required', 403, 'password-change-required'],
    ['precondition', 412, 'precondition'],
    ['idempotency', 422, 'idempotency'],
    ['idempotency', 409, 'idempotency'],
    ['conflict', 409, 'conflict'],
    ['not-found', 404, 'not-found'],
    ['unavailable', 503, 'unavailable'],
    ['internal', 500, 'server'],
  ])('of type %s with status %i are told apart as %s', async (name, status, kind) => {
    answer(status, problem(name, status));
    expect((await refused(getTenant())).kind).toBe(kind);
  });

  it('tell how long to wait', async () => {
    answer(429, problem('throttled', 429), { 'Retry-After': '17' });
    const error = await refused(getTenant());
    expect([error.kind, error.retryAfterS]).toEqual(['throttled', 17]);
  });

  it('without a problem document are still understood', async () => {
    answer(502, 'bad gateway');
    expect((await refused(getTenant())).kind).toBe('unavailable');
  });

  it('are offline when there was no answer at all', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed to fetch')));
    expect((await refused(getTenant())).kind).toBe('offline');
  });
});

describe('the end of the session', () => {
  it('is noticed on any refusal but that of the log-in itself', async () => {
    const ended = vi.fn();
    setSessionEndHandler(ended);
    answer(401, problem('unauthorized', 401));
    await refused(call(api.GET('/api/v1/session')));
    expect(ended).not.toHaveBeenCalled();
    await refused(getTenant());
    expect(ended).toHaveBeenCalledOnce();
  });
});

describe('callFull', () => {
  it('gives headers beside the body', async () => {
    answer(200, { key: 'demo' }, { ETag: '"7"' });
    const { data, response } = await callFull(
      api.GET('/api/v1/tenants/{tenant}', { params: { path: { tenant: 'demo' } } }),
    );
    expect(data.key).toBe('demo');
    expect(response.headers.get('ETag')).toBe('"7"');
  });
});

describe('retries', () => {
  it('are for what may pass by itself only', () => {
    expect(shouldRetry(0, new ApiError('offline', 0, null))).toBe(true);
    expect(shouldRetry(2, new ApiError('offline', 0, null))).toBe(false);
    expect(shouldRetry(0, new ApiError('forbidden', 403, null))).toBe(false);
    expect(shouldRetry(0, new ApiError('server', 500, null))).toBe(false);
  });
});
