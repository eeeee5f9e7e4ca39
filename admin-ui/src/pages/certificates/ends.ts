import type { ToneName } from '@/components/measure/Tone';

const DAY_MS = 86_400_000;
/** Days before an end at which the head-end writes an event. */
export const STEPS = [7, 30, 90] as const;

/** Whole days, rounded down; negative when it is over. */
export function daysLeft(notAfter: string, now: number): number {
  return Math.floor((new Date(notAfter).getTime() - now) / DAY_MS);
}

/**
 * The step that was told of last. As the head-end does it: one that is longer than a quarter of the
 * certificate's life is left out. notBefore null: it lives for years.
 */
export function endStep(
  notBefore: string | null,
  notAfter: string,
  now: number,
): (typeof STEPS)[number] | null {
  const end = new Date(notAfter).getTime();
  const life = notBefore === null ? Infinity : end - new Date(notBefore).getTime();
  return STEPS.find((step) => end - now <= step * DAY_MS && step * 4 * DAY_MS <= life) ?? null;
}

export function endTone(notBefore: string | null, notAfter: string, now: number): ToneName {
  if (new Date(notAfter).getTime() <= now) return 'bad';
  const step = endStep(notBefore, notAfter, now);
  return step === null ? 'good' : step === 7 ? 'bad' : step === 30 ? 'wait' : 'calm';
}
