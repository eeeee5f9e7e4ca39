/** Who gave out a market partner number: 99… BDEW, 98… DVGW, everything else GS1. */
export type MpIssuer = 'bdew' | 'dvgw' | 'gs1';

export type MpIdCheck = { ok: true; issuer: MpIssuer } | { ok: false; reason: 'digits' | 'check' };

/** Thirteen digits; a GS1 number (GLN) also ends in its check digit. */
export function checkMpId(text: string): MpIdCheck {
  if (!/^\d{13}$/.test(text)) return { ok: false, reason: 'digits' };
  if (text.startsWith('99')) return { ok: true, issuer: 'bdew' };
  if (text.startsWith('98')) return { ok: true, issuer: 'dvgw' };
  return glnCheckDigit(text) === text[12]
    ? { ok: true, issuer: 'gs1' }
    : { ok: false, reason: 'check' };
}

/** GS1 general specifications: weights 1 and 3 in turn, complement to ten. */
function glnCheckDigit(text: string): string {
  const sum = [...text.slice(0, 12)].reduce(
    (total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3),
    0,
  );
  return String((10 - (sum % 10)) % 10);
}
