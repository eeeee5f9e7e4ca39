import { useQueryClient, type InfiniteData } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { tenantKey, type Page } from '@/api/query';
import { tenantStream, useLive, type StreamEvents } from '@/api/stream';
import type { Gateway } from './connection';

type GatewayEvent = StreamEvents['gateways'];
type Connection = NonNullable<Gateway['connection']>;

const STATES = ['connected', 'ended', 'lost'];
/** events of this time are applied together: after an outage all gateways come back at once */
const GATHER_MS = 400;

export function applyEvent(gateway: Gateway, event: GatewayEvent): Gateway {
  if (!STATES.includes(event.state)) return gateway;
  const state = event.state as Connection['state'];
  const before = gateway.connection;
  const over = state !== 'connected';
  return {
    ...gateway,
    connection: {
      tls: before?.tls ?? '',
      epoch: before?.epoch ?? 0,
      reason: over ? (before?.reason ?? '') : '',
      state,
      since: over ? (before?.since ?? event.since) : event.since,
      ended_at: over ? event.since : null,
      peer: event.peer ?? before?.peer ?? null,
      node: event.node,
    },
  };
}

/** Keeps the lists of gateways current while their page is open. */
export function useGatewayEvents(tenant: string): void {
  const client = useQueryClient();
  const waiting = useRef(new Map<string, GatewayEvent>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useLive(tenant, 'gateways', (event) => {
    waiting.current.set(event.gateway, event);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const events = waiting.current;
      waiting.current = new Map();
      client.setQueriesData<InfiniteData<Page<Gateway>>>(
        { queryKey: tenantKey(tenant, 'gateways', 'list') },
        (data) =>
          data && {
            ...data,
            pages: data.pages.map((page) => ({
              ...page,
              items: page.items.map((row) => {
                const news = events.get(row.id);
                return news ? applyEvent(row, news) : row;
              }),
            })),
          },
      );
      for (const id of events.keys()) {
        void client.invalidateQueries({ queryKey: tenantKey(tenant, 'gateways', 'one', id) });
      }
    }, GATHER_MS);
  });
  useEffect(() => {
    const stop = tenantStream(tenant).onLost(() => {
      void client.invalidateQueries({ queryKey: tenantKey(tenant, 'gateways') });
    });
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [client, tenant]);
}
