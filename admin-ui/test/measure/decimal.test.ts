import { describe, expect, it } from 'vitest';
import {
  add,
  compare,
  decimalText,
  displayUnit,
  formatValue,
  parseDecimal,
  scaleFor,
  shift,
  subtract,
  toPixelNumber,
  type Decimal,
} from '@/components/measure/decimal';

const d = (text: string): Decimal => {
  const value = parseDecimal(text);
  if (!value) throw new Error(`no decimal: ${text}`);
  return value;
};

describe('exact decimals', () => {
  it('keep digits that a double would lose', () => {
    const a = d('9007199254740993.1');
    expect(decimalText(a)).toBe('9007199254740993.1');
    expect(decimalText(subtract(a, d('9007199254740992.9')))).toBe('0.2');
    expect(decimalText(add(d('0.1'), d('0.2')))).toBe('0.3');
  });

  it('keep trailing zeros and signs', () => {
    expect(decimalText(d('1.20'))).toBe('1.20');
    expect(decimalText(d('-0.05'))).toBe('-0.05');
    expect(decimalText(d('0'))).toBe('0');
    expect(decimalText(d('12e3'))).toBe('12000');
    expect(decimalText(d('12e-4'))).toBe('0.0012');
  });

  it('refuse what is no number, and exponents that would fill the memory', () => {
    for (const text of ['', ' ', 'NaN', '1,5', '1.', '.5', '0x10', '1e99999', '--1', '1 2'])
      expect(parseDecimal(text), text).toBeUndefined();
  });

  it('compare across exponents', () => {
    expect(compare(d('1.20'), d('1.2'))).toBe(0);
    expect(compare(d('-2'), d('-1.999'))).toBe(-1);
    expect(compare(d('1e3'), d('999.9'))).toBe(1);
  });

  it('move the point without rounding', () => {
    expect(decimalText(shift(d('1234.5'), 3))).toBe('1.2345');
    expect(decimalText(shift(d('7'), 6))).toBe('0.000007');
    expect(formatValue(d('1234567'), { power: 3, unit: 'kWh' }, 'de')).toBe('1.234,567\u00a0kWh');
    expect(formatValue(d('1234567'), { power: 0, unit: 'Wh' }, 'en')).toBe('1,234,567\u00a0Wh');
  });

  it('become a double for the screen alone', () => {
    expect(toPixelNumber(d('12.5'))).toBe(12.5);
    expect(toPixelNumber(d('-3e2'))).toBe(-300);
  });
});

describe('units', () => {
  it('take a prefix where the axis would be full of zeros', () => {
    expect(scaleFor('Wh', 9_999)).toEqual({ power: 0, unit: 'Wh' });
    expect(scaleFor('Wh', 10_000)).toEqual({ power: 3, unit: 'kWh' });
    expect(scaleFor('Wh', 2e7)).toEqual({ power: 3, unit: 'kWh' });
    expect(scaleFor('W', 2e8)).toEqual({ power: 6, unit: 'MW' });
    expect(scaleFor('m3', 1e9)).toEqual({ power: 0, unit: 'm³' });
    expect(scaleFor(null, 1e9)).toEqual({ power: 0, unit: '' });
  });

  it('are written as people read them', () => {
    expect(displayUnit('m3/h')).toBe('m³/h');
    expect(displayUnit('1')).toBe('');
    expect(displayUnit('°C')).toBe('°C');
  });
});
