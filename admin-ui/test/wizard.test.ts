import { afterEach, describe, expect, it, vi } from 'vitest';
import { nextStep, runWizard, type WizardResult } from '@/pages/operator/wizard';

const VALUES = {
  name: 'Demo',
  key: 'demo',
  own_mp_id: '',
  device_policy: 'allow-list' as const,
  gateway: 'gw-1',
  place: '',
  user: 'admin@demo',
  display_name: '',
};

const ANSWERS: [RegExp, unknown][] = [
  [/POST .*\/tenants$/, { tenant: { key: 'demo', device_policy: 'learn' }, api_key: 'emt_1' }],
  [/PATCH .*\/demo$/, { key: 'demo' }],
  [/POST .*\/users$/, { user: { name: 'admin@demo' }, password: 'once' }],
  [/POST .*\/gateways$/, { id: 'gw-1' }],
  [/POST .*\/enrolment$/, { token: 't', command: 'emt-agent enrol' }],
];

function serve(refuse?: RegExp) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (request: Request) => {
    const line = `${request.method} ${new URL(request.url).pathname}`;
    asked.push(line);
    if (refuse?.test(line)) return Promise.resolve(Response.json({}, { status: 503 }));
    const found = ANSWERS.find(([pattern]) => pattern.test(line));
    return Promise.resolve(Response.json(found?.[1] ?? {}, { status: found ? 200 : 404 }));
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

describe('runWizard', () => {
  it('makes everything in order and says so', async () => {
    const asked = serve();
    const steps: (string | null)[] = [];
    await runWizard(VALUES, {}, (result) => steps.push(nextStep(result)));
    expect(steps).toEqual(['policy', 'user', 'gateway', 'enrolment', null]);
    expect(asked).toHaveLength(5);
  });

  it('goes on behind what was made when it is run again', async () => {
    let result: WizardResult = {};
    const keep = (next: WizardResult) => {
      result = next;
    };
    serve(/\/users$/);
    await expect(runWizard(VALUES, result, keep)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(nextStep(result)).toBe('user');
    const asked = serve();
    await runWizard(VALUES, result, keep);
    expect(asked.some((line) => line.endsWith('/tenants'))).toBe(false);
    expect(result.apiKey).toBe('emt_1');
    expect(result.user?.password).toBe('once');
    expect(nextStep(result)).toBeNull();
  });
});
