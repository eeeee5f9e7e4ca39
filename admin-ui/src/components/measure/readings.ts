import { queryOptions } from '@tanstack/react-query';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { HOUR, wholeSpan, type Aggregate, type Span } from './localTime';
import type { AggregateReading, RawReading } from './series';

/** Beyond this a chart shows nothing more; the reader is told and narrows the span. */
export const READINGS_MAX = 20_000;
const PAGE = 10_000;
/** Values around the span, so that lines reach its edges and the first difference has its begin. */
const MARGIN = 2 * HOUR;

export interface Readings {
  aggregate: Aggregate;
  raw: RawReading[];
  items: AggregateReading[];
  unit: string | null;
  truncated: boolean;
}

const iso = (at: number) => new Date(at).toISOString();

async function fetchReadings(
  tenant: string,
  channel: number,
  span: Span,
  aggregate: Aggregate,
  signal: AbortSignal,
): Promise<Readings> {
  const found: Readings = { aggregate, raw: [], items: [], unit: null, truncated: false };
  const { from, to } = wholeSpan(span, aggregate);
  const margin = aggregate === 'raw' ? MARGIN : 0;
  let cursor: string | undefined;
  do {
    const page = await call(
      api.GET('/api/v1/tenants/{tenant}/channels/{channel}/readings', {
        params: {
          path: { tenant, channel },
          query: {
            from: iso(from - margin),
            to: iso(to + margin),
            limit: PAGE,
            ...(aggregate === 'raw' ? {} : { aggregate }),
            ...(cursor ? { cursor } : {}),
          },
        },
        signal,
      }),
    );
    if (typeof page === 'string') break; // CSV was not asked for
    found.unit = page.unit;
    if ('aggregate' in page) found.items.push(...(page.items as AggregateReading[]));
    else found.raw.push(...(page.items as RawReading[]));
    if (!('aggregate' in page)) found.aggregate = 'raw';
    cursor = page.next;
    if (cursor && found.raw.length + found.items.length >= READINGS_MAX) {
      found.truncated = true;
      break;
    }
  } while (cursor);
  return found;
}

export const readingsQuery = (tenant: string, channel: number, span: Span, aggregate: Aggregate) =>
  queryOptions({
    queryKey: tenantKey(tenant, 'readings', channel, span.from, span.to, aggregate),
    queryFn: ({ signal }) => fetchReadings(tenant, channel, span, aggregate, signal),
    staleTime: 60_000,
    gcTime: 60_000,
  });

/** The same rows as a file; the server writes them. */
export async function readingsCsv(
  tenant: string,
  channel: number,
  span: Span,
  aggregate: Aggregate,
): Promise<Blob> {
  const { from, to } = wholeSpan(span, aggregate);
  const blob = await call(
    api.GET('/api/v1/tenants/{tenant}/channels/{channel}/readings', {
      params: {
        path: { tenant, channel },
        query: {
          from: iso(from),
          to: iso(to),
          limit: PAGE,
          ...(aggregate === 'raw' ? {} : { aggregate }),
        },
      },
      headers: { Accept: 'text/csv' },
      parseAs: 'blob',
    }),
  );
  return blob as unknown as Blob;
}
