import type { Schemas } from '@/api/client';
import type { ToneName } from '@/components/measure/Tone';

export type Delivery = Schemas['Delivery'];
export type DeliveryState = Schemas['DeliveryState'];

export const DELIVERY_STATES: readonly DeliveryState[] = [
  'waiting',
  'sending',
  'delivered',
  'failed',
  'unknown',
];

export const STATE_TONES: Record<DeliveryState, ToneName> = {
  waiting: 'wait',
  sending: 'wait',
  delivered: 'good',
  failed: 'bad',
  unknown: 'bad',
};

const OUTCOME_TONES: Record<string, ToneName> = {
  delivered: 'good',
  'already-there': 'good',
  retry: 'wait',
  refused: 'bad',
  unknown: 'bad',
};

export const outcomeTone = (outcome: string): ToneName => OUTCOME_TONES[outcome] ?? 'calm';
export const isGood = (outcome: string): boolean => outcomeTone(outcome) === 'good';

/** Sent once more only where it did not arrive, or nobody knows. */
export const mayRepeat = ({ state }: Delivery): boolean =>
  state === 'failed' || state === 'unknown';

// What needs somebody first, then what is still on its way.
const GRAVITY: readonly DeliveryState[] = ['unknown', 'failed', 'sending', 'waiting', 'delivered'];

/** The state that says most about several deliveries; undefined when there is none. */
export const gravest = (deliveries: readonly Delivery[]): DeliveryState | undefined =>
  GRAVITY.find((state) => deliveries.some((one) => one.state === state));

/** Those of one run of a schedule: they carry its name and are younger than its last start. */
export function ofLastRun(
  deliveries: readonly Delivery[],
  { name, last_run_at, created_at }: Schemas['Schedule'],
): Delivery[] {
  const since = Date.parse(last_run_at ?? created_at);
  return deliveries.filter(
    (one) => one.created_by === `schedule:${name}` && Date.parse(one.created_at) >= since,
  );
}

/**
 * Of each file. Complete tells whether all of a file's deliveries can be among them: a page of the
 * newest ones holds everything that is younger than its last.
 */
export function byFile({ items, next }: Schemas['DeliveryPage']): {
  of: (file: number) => Delivery[];
  complete: (written: string) => boolean;
} {
  const files = new Map<number, Delivery[]>();
  for (const one of items) files.set(one.file, [...(files.get(one.file) ?? []), one]);
  const last = items.at(-1);
  return {
    of: (file) => files.get(file) ?? [],
    complete: (written) => !next || !last || Date.parse(written) >= Date.parse(last.created_at),
  };
}
