// Meter values are exact decimal strings. They are grouped and joined as text; nothing here goes
// through a binary floating point number.

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;
const SEPARATORS: Record<string, { group: string; point: string }> = {
  de: { group: '.', point: ',' },
  en: { group: ',', point: '.' },
};

function grouped(digits: string, separator: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, separator);
}

/** '1234567.890' -> '1.234.567,890' in German; text that is no decimal stays as it is. */
export function formatDecimal(value: string, language: string): string {
  const match = DECIMAL.exec(value);
  if (!match) return value;
  const { group, point } = SEPARATORS[language] ?? { group: ',', point: '.' };
  const [, sign, whole = '', fraction] = match;
  const digits = grouped(whole.replace(/^0+(?=\d)/, ''), group);
  return `${sign === '-' ? '−' : ''}${digits}${fraction === undefined ? '' : point + fraction}`;
}

/** With its unit, joined by a space that does not break. */
export function formatQuantity(value: string, unit: string | null, language: string): string {
  const number = formatDecimal(value, language);
  return unit ? `${number}\u00a0${unit}` : number;
}

/** Whole numbers of the API (counts, bytes). */
export function formatCount(value: number, language: string): string {
  return formatDecimal(String(Math.trunc(value)), language);
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size in bytes with at most one decimal: '1,4 MB'. */
export function formatBytes(bytes: number, language: string): string {
  let scaled = bytes;
  let step = 0;
  while (scaled >= 1000 && step < SIZES.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  const digits = step === 0 ? 0 : 1;
  return `${scaled.toLocaleString(language, { maximumFractionDigits: digits })}\u00a0${SIZES[step]}`;
}
