import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDecimal, formatQuantity } from '@/lib/decimal';

describe('formatDecimal', () => {
  it('groups digits and keeps every place', () => {
    expect(formatDecimal('1234567.890', 'de')).toBe('1.234.567,890');
    expect(formatDecimal('1234567.890', 'en')).toBe('1,234,567.890');
  });

  it('keeps more digits than a binary floating point number holds', () => {
    const digits = '9007199254740993.000000000000000001';
    expect(formatDecimal(digits, 'de')).toBe('9.007.199.254.740.993,000000000000000001');
  });

  it('keeps zeros, signs and text', () => {
    expect(formatDecimal('0.100', 'de')).toBe('0,100');
    expect(formatDecimal('-12.5', 'de')).toBe('−12,5');
    expect(formatDecimal('007', 'de')).toBe('7');
    expect(formatDecimal('E-17', 'de')).toBe('E-17');
    expect(formatDecimal('', 'de')).toBe('');
  });

  it('joins a unit with a space that does not break', () => {
    expect(formatQuantity('1000', 'kWh', 'de')).toBe('1.000\u00a0kWh');
    expect(formatQuantity('1000', null, 'de')).toBe('1.000');
  });
});

describe('counts and sizes', () => {
  it('are grouped and scaled', () => {
    expect(formatCount(51848, 'de')).toBe('51.848');
    expect(formatBytes(999, 'de')).toBe('999\u00a0B');
    expect(formatBytes(136_123, 'de')).toBe('136,1\u00a0kB');
    expect(formatBytes(5_000_000_000, 'en')).toBe('5\u00a0GB');
  });
});
