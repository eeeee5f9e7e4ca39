/** What people have in files: PEM as text, or DER. */

export const LARGEST_CERTIFICATE = 64 * 1024;
export const LARGEST_LIST = 8 * 1024 * 1024;

export type PemKind = 'CERTIFICATE' | 'PRIVATE KEY' | 'CERTIFICATE REQUEST';

const MARK = '-----BEGIN ';
const CHUNK = 0x8000;

/** In pieces: a call takes only so many arguments. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

export function isPem(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 16_384)).includes(MARK);
}

/** PEM as it is, anything else as DER of this kind. */
export function toPem(bytes: Uint8Array, kind: PemKind): string {
  if (isPem(bytes)) return new TextDecoder().decode(bytes);
  const lines = toBase64(bytes).match(/.{1,64}/g) ?? [];
  return [`${MARK}${kind}-----`, ...lines, `-----END ${kind}-----`, ''].join('\n');
}

/** As the API takes a list: PEM, or DER in base64. */
export function toCrlText(bytes: Uint8Array): string {
  return isPem(bytes) ? new TextDecoder().decode(bytes) : toBase64(bytes);
}

export async function bytesOf(file: File): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

export async function pemOf(file: File, kind: PemKind): Promise<string> {
  return toPem(await bytesOf(file), kind);
}
