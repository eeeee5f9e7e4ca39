import { localMidnight } from '@/components/measure/localTime';

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

function midnight(day: string | undefined, later: number): string | undefined {
  const match = DAY.exec(day ?? '');
  if (!match) return undefined;
  const [, year, month, date] = match;
  return new Date(localMidnight(Number(year), Number(month), Number(date) + later)).toISOString();
}

/** '2026-11-21' -> the first instant of that German day. */
export function dayStart(day: string | undefined): string | undefined {
  return midnight(day, 0);
}

/** The first instant after that German day: the API's `to` is exclusive. */
export function dayEnd(day: string | undefined): string | undefined {
  return midnight(day, 1);
}
