import type { Schemas } from '@/api/client';

export type Document = NonNullable<Schemas['ExportNew']['document']>;

const DOCUMENTS: Partial<Record<string, readonly Document[]>> = {
  '13019': ['Z41'],
  '13016': ['Z42'],
  '13009': ['Z27'],
};

/** What a use case has in the place of its energies. */
export const documentsOf = (pid: string): readonly Document[] => DOCUMENTS[pid] ?? [];

/** The choice as far as this use case has it: it outlives a change of the use case in a form. */
export const documentFor = (pid: string, chosen: string): Document | null =>
  documentsOf(pid).find((one) => one === chosen) ?? null;
