// Codes of market locations (MaLo-ID, BDEW), metering locations (MeLo, VDE-AR-N 4400) and partners.

export type LocationFault =
  'length' | 'digits' | 'leading-zero' | 'check-digit' | 'country' | 'operator' | 'characters';

/** A tranche is numbered as a market location; NeLo is a grid location. */
export const LOCATION_KINDS = ['malo', 'melo', 'nelo', 'tranche'] as const;
export type LocationKind = (typeof LOCATION_KINDS)[number];

export interface Digit {
  digit: number;
  weight: 1 | 2;
}

export interface MaloSum {
  digits: Digit[]; // the first ten
  sum: number;
  check: number;
}

/** How the check digit comes about: digits at even positions count twice, up to the next ten. */
export function maloSum(code: string): MaloSum | undefined {
  if (!/^\d{10}/.test(code)) return undefined;
  const digits = [...code.slice(0, 10)].map((character, i): Digit => ({
    digit: Number(character),
    weight: i % 2 === 0 ? 1 : 2,
  }));
  const sum = digits.reduce((total, { digit, weight }) => total + digit * weight, 0);
  return { digits, sum, check: (10 - (sum % 10)) % 10 };
}

export function maloFault(code: string): LocationFault | undefined {
  if (!/^\d*$/.test(code)) return 'digits';
  if (code.length !== 11) return 'length';
  if (code.startsWith('0')) return 'leading-zero';
  return maloSum(code)?.check === Number(code[10]) ? undefined : 'check-digit';
}

export function meloFault(code: string): LocationFault | undefined {
  if (code.length !== 33) return 'length';
  if (!/^[A-Z]{2}/.test(code)) return 'country';
  if (!/^\d{11}$/.test(code.slice(2, 13))) return 'operator';
  return /^[A-Z0-9]{20}$/.test(code.slice(13)) ? undefined : 'characters';
}

/** E and ten more; letters count as their ASCII number, those at even places twice. */
export function neloFault(code: string): LocationFault | undefined {
  if (code.length !== 11) return 'length';
  if (!/^E[A-Z0-9]{9}\d$/.test(code)) return 'characters';
  const sum = [...code.slice(0, 10)].reduce((total, character, i) => {
    const value = /\d/.test(character) ? Number(character) : character.charCodeAt(0);
    return total + value * (i % 2 === 0 ? 1 : 2);
  }, 0);
  return (10 - (sum % 10)) % 10 === Number(code[10]) ? undefined : 'check-digit';
}

export function locationFault(kind: LocationKind, code: string): LocationFault | undefined {
  if (kind === 'melo') return meloFault(code);
  return kind === 'nelo' ? neloFault(code) : maloFault(code);
}

/** What was meant, from the code's own shape; a tranche looks as a MaLo does. */
export function guessKind(code: string): Exclude<LocationKind, 'tranche'> | undefined {
  if (/^\d+$/.test(code)) return 'malo';
  if (code.startsWith('E')) return 'nelo';
  return /^[A-Z]{2}/.test(code) ? 'melo' : undefined;
}

export const isMpId = (text: string): boolean => /^\d{13}$/.test(text);
