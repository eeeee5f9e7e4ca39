import { useState } from 'react';
import { asApiError } from '@/api/problem';

/** A resource as it was read, with the tag that guards its change. */
export interface Versioned<T> {
  value: T;
  etag: string | null;
}

export const ifMatch = (etag: string | null): { 'If-Match'?: string } =>
  etag ? { 'If-Match': etag } : {};

/**
 * Guards a change with the tag of what was read. When somebody was faster, the new state is read
 * and shown beside the refusal; saving once more is then meant.
 */
export function useGuarded<T>(first: Versioned<T>, reload: () => Promise<Versioned<T>>) {
  const [seen, setSeen] = useState(first);
  const guard = async <R>(change: (etag: string | null) => Promise<R>): Promise<R> => {
    try {
      return await change(seen.etag);
    } catch (failure) {
      if (asApiError(failure).kind === 'precondition') setSeen(await reload());
      throw failure;
    }
  };
  return { before: first.value, seen: seen.value, guard };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Only what was changed here: other people's fields stay as they made them. */
export function changedFields<B extends object>(body: B, before: object): Partial<B> {
  const known = before as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(body).filter(([field, value]) => !same(value, known[field])),
  ) as Partial<B>;
}
