import { api, call, newIdempotencyKey, type Schemas } from '@/api/client';

export interface WizardValues {
  name: string;
  key: string;
  own_mp_id: string;
  device_policy: Schemas['Tenant']['device_policy'];
  gateway: string;
  place: string;
  user: string;
  display_name: string;
}

export const wizardSteps = ['tenant', 'policy', 'user', 'gateway', 'enrolment'] as const;
export type WizardStep = (typeof wizardSteps)[number];

/** What has been made so far; a second run goes on behind it. */
export interface WizardResult {
  tenant?: Schemas['Tenant'];
  apiKey?: string;
  policy?: true;
  user?: { name: string; password: string };
  gateway?: Schemas['Gateway'];
  enrolment?: Schemas['Enrolment'];
}

const DEFAULT_POLICY = 'learn';

async function step(
  values: WizardValues,
  result: WizardResult,
  gatewayKey: string,
): Promise<WizardResult> {
  const path = { tenant: values.key };
  if (!result.tenant) {
    const { tenant, api_key } = await call(
      api.POST('/api/v1/tenants', {
        body: {
          key: values.key,
          name: values.name.trim(),
          ...(values.own_mp_id ? { own_mp_id: values.own_mp_id } : {}),
        },
      }),
    );
    return { ...result, tenant, apiKey: api_key };
  }
  if (!result.policy) {
    if (values.device_policy !== (result.tenant.device_policy ?? DEFAULT_POLICY)) {
      await call(
        api.PATCH('/api/v1/tenants/{tenant}', {
          params: { path },
          body: { device_policy: values.device_policy },
        }),
      );
    }
    return { ...result, policy: true };
  }
  if (!result.user) {
    const { user, password } = await call(
      api.POST('/api/v1/tenants/{tenant}/users', {
        params: { path },
        body: { name: values.user, display_name: values.display_name.trim(), role: 'tenant-admin' },
      }),
    );
    return { ...result, user: { name: user.name, password } };
  }
  if (!result.gateway) {
    const gateway = await call(
      api.POST('/api/v1/tenants/{tenant}/gateways', {
        params: { path, header: { 'Idempotency-Key': gatewayKey } },
        body: { id: values.gateway, place: values.place.trim() },
      }),
    );
    return { ...result, gateway };
  }
  const enrolment = await call(
    api.POST('/api/v1/tenants/{tenant}/gateways/{gateway}/enrolment', {
      params: { path: { ...path, gateway: values.gateway } },
      body: { valid_hours: 72 },
    }),
  );
  return { ...result, enrolment };
}

/** The step that comes next, null when everything is there. */
export function nextStep(result: WizardResult): WizardStep | null {
  return wizardSteps.find((name) => !result[name]) ?? null;
}

/**
 * Makes everything in order and tells of each step. An error leaves what was made before it; called
 * again with the same values it goes on from there.
 */
export async function runWizard(
  values: WizardValues,
  start: WizardResult,
  progress: (result: WizardResult) => void,
): Promise<void> {
  const gatewayKey = newIdempotencyKey();
  let result = start;
  while (nextStep(result)) {
    result = await step(values, result, gatewayKey);
    progress(result);
  }
}
