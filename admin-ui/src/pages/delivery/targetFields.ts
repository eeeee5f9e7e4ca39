import type { Schemas } from '@/api/client';

export type Target = Schemas['Target'];
export type TargetKind = Target['kind'];
export type TargetBody = Schemas['TargetNew'];
export type SecretName =
  'password' | 'private_key' | 'private_key_password' | 'bearer' | 'client_key' | 'sign_key';
export type TargetField = Exclude<keyof TargetBody, 'name' | 'kind' | 'partner' | SecretName>;

export const TARGET_KINDS: readonly TargetKind[] = [
  'sftp',
  'ftps',
  'ftps-implicit',
  'ftp',
  'https',
  'mail',
  'local',
];

/** What each way of delivery knows, in the order people fill it in. */
export const FIELDS_OF: Record<TargetKind, readonly (TargetField | SecretName)[]> = {
  local: ['path'],
  sftp: [
    'host',
    'port',
    'path',
    'host_key',
    'user',
    'password',
    'private_key',
    'private_key_password',
  ],
  ftp: ['host', 'port', 'path', 'user', 'password', 'plain_allowed'],
  ftps: ['host', 'port', 'path', 'user', 'password', 'ca'],
  'ftps-implicit': ['host', 'port', 'path', 'user', 'password', 'ca'],
  https: [
    'host',
    'port',
    'path',
    'user',
    'password',
    'bearer',
    'client_certificate',
    'client_key',
    'ca',
  ],
  mail: [
    'host',
    'port',
    'implicit_tls',
    'plain_allowed',
    'user',
    'password',
    'ca',
    'mail_from',
    'mail_to',
    'mail_cc',
    'mail_bcc',
    'mail_subject',
    'mail_text',
    'sign_certificate',
    'sign_key',
    'encrypt_certificates',
  ],
};

export const SECRETS: readonly SecretName[] = [
  'password',
  'private_key',
  'private_key_password',
  'bearer',
  'client_key',
  'sign_key',
];
const LISTS = ['mail_to', 'mail_cc', 'mail_bcc'] as const;

export const isSecret = (field: string): field is SecretName =>
  (SECRETS as readonly string[]).includes(field);

/** The API names what is set with hyphens: 'private-key'. */
export const hasSecret = (target: Target | null, name: SecretName): boolean =>
  target?.secrets.some((purpose) => purpose.replaceAll('-', '_') === name) ?? false;

/** A form's values. A secret is '' for "as it is" and null for "forget it". */
export interface TargetValues extends Record<string, unknown> {
  name: string;
  /** whose files it takes; '': everybody's */
  partner: string;
  kind: TargetKind;
  host: string;
  port: number | '';
  path: string;
  user: string;
  host_key: string;
  ca: string;
  client_certificate: string;
  sign_certificate: string;
  encrypt_certificates: string;
  plain_allowed: boolean;
  implicit_tls: boolean;
  mail_from: string;
  /** addresses, one per line */
  mail_to: string;
  mail_cc: string;
  mail_bcc: string;
  mail_subject: string;
  mail_text: string;
  password: string | null;
  private_key: string | null;
  private_key_password: string | null;
  bearer: string | null;
  client_key: string | null;
  sign_key: string | null;
}

export function targetValues(target: Target | null): TargetValues {
  return {
    name: target?.name ?? '',
    partner: target?.partner ?? '',
    kind: target?.kind ?? 'sftp',
    host: target?.host ?? '',
    port: target?.port || '',
    path: target?.path ?? '',
    user: target?.user ?? '',
    host_key: target?.host_key ?? '',
    ca: target?.ca ?? '',
    client_certificate: target?.client_certificate ?? '',
    sign_certificate: target?.sign_certificate ?? '',
    encrypt_certificates: target?.encrypt_certificates ?? '',
    plain_allowed: target?.plain_allowed ?? false,
    implicit_tls: target?.implicit_tls ?? false,
    mail_from: target?.mail_from ?? '',
    mail_to: target?.mail_to.join('\n') ?? '',
    mail_cc: target?.mail_cc.join('\n') ?? '',
    mail_bcc: target?.mail_bcc.join('\n') ?? '',
    mail_subject: target?.mail_subject ?? '',
    mail_text: target?.mail_text ?? '',
    password: '',
    private_key: '',
    private_key_password: '',
    bearer: '',
    client_key: '',
    sign_key: '',
  };
}

export const addresses = (text: string): string[] => text.split(/[\s,;]+/).filter(Boolean);

/** Name, kind and what this kind knows; an untouched secret is left out. */
export function targetBody(values: TargetValues): TargetBody {
  const body: Record<string, unknown> = {
    name: values.name.trim(),
    partner: values.partner.trim(),
    kind: values.kind,
  };
  for (const field of FIELDS_OF[values.kind]) {
    const value = values[field];
    if (isSecret(field)) {
      if (value !== '') body[field] = value;
    } else if ((LISTS as readonly string[]).includes(field))
      body[field] = addresses(String(value ?? ''));
    else if (field === 'port') body.port = value === '' ? 0 : value;
    else body[field] = typeof value === 'string' ? value.trim() : value;
  }
  return body as TargetBody;
}

/** The part of the address that tells one target from another. */
export function targetPlace({ kind, host, port, path, user, mail_to }: Target): string {
  if (kind === 'mail') return mail_to.join(', ');
  if (kind === 'local') return path;
  const login = user ? `${user}@` : '';
  const slash = path.startsWith('/') || path === '' ? '' : '/~/';
  return `${login}${host}${port ? `:${port}` : ''}${slash}${path}`;
}
