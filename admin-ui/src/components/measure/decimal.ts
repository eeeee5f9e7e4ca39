// Values are decimal strings, exact. Text in, text out; `toPixelNumber` is the one way to a double
// and only places something on the screen.

import { formatQuantity } from '../../lib/decimal';

export interface Decimal {
  mantissa: bigint;
  /** value = mantissa * 10^exponent */
  exponent: number;
}

// What the server writes; the bound keeps a hostile exponent from making a text of megabytes.
const PATTERN = /^([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Undefined when the text is no decimal number. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = PATTERN.exec(text.trim());
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  const mantissa = BigInt(whole + fraction);
  return {
    mantissa: sign === '-' ? -mantissa : mantissa,
    exponent: Number(power) - fraction.length,
  };
}

function aligned(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  return [
    a.mantissa * 10n ** BigInt(a.exponent - exponent),
    b.mantissa * 10n ** BigInt(b.exponent - exponent),
    exponent,
  ];
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const [x, y, exponent] = aligned(a, b);
  return { mantissa: x - y, exponent };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const [x, y, exponent] = aligned(a, b);
  return { mantissa: x + y, exponent };
}

export function compare(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Plain text with a point; digits are kept as they are, 1.20 stays 1.20. */
export function decimalText({ mantissa, exponent }: Decimal): string {
  const negative = mantissa < 0n;
  let digits = (negative ? -mantissa : mantissa).toString();
  if (exponent >= 0) {
    digits += mantissa === 0n ? '' : '0'.repeat(exponent);
  } else {
    const places = -exponent;
    digits = digits.padStart(places + 1, '0');
    digits = `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  }
  return negative ? `-${digits}` : digits;
}

/** The same value in a unit 10^power times as large: shift(1234.5 Wh, 3) = 1.2345 kWh. */
export function shift(value: Decimal, power: number): Decimal {
  return { mantissa: value.mantissa, exponent: value.exponent - power };
}

/** For a place on the screen only: never shown, never computed with. */
export function toPixelNumber(value: Decimal): number {
  return Number(`${value.mantissa}e${value.exponent}`);
}

/** With its unit as people write it: 1.234,5 kWh. */
export function formatValue(value: Decimal, scale: Scale, language: string): string {
  return formatQuantity(decimalText(shift(value, scale.power)), scale.unit || null, language);
}

const PREFIXED = new Set(['Wh', 'W', 'varh', 'var', 'VAh', 'VA', 'J']);
// Power, prefix, and the power from which on it is used: a household's register stays in kWh.
const STEPS: [number, string, number][] = [
  [9, 'G', 11],
  [6, 'M', 8],
  [3, 'k', 4],
];

export interface Scale {
  power: number;
  unit: string;
}

/** The unit an axis reads best in: Wh becomes kWh when the largest value is 10,000 Wh or more. */
export function scaleFor(unit: string | null, largest: number): Scale {
  if (unit !== null && PREFIXED.has(unit))
    for (const [power, prefix, least] of STEPS)
      if (largest >= 10 ** least) return { power, unit: prefix + unit };
  return { power: 0, unit: displayUnit(unit) };
}

/** Units as IEC 62056-6-2 spells them, with the exponents people read. */
export function displayUnit(unit: string | null): string {
  if (unit === null || unit === '1') return '';
  return unit.replace(/^m3/, 'm³').replace(/^m2/, 'm²');
}
