import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Schemas } from './client';

/** What GET …/stream tells, by topic. */
export interface StreamEvents {
  gateways: { gateway: string; state: string; since: string; peer: string | null; node: number };
  frames: Schemas['Frame'];
  jobs: Schemas['Job'];
  events: Schemas['Event'];
}
export type Topic = keyof StreamEvents;

/** 'polling': the stream could not be had; pages ask in intervals instead. */
export type StreamState = 'connecting' | 'live' | 'polling';

const EVENT_OF: Record<Topic, string> = {
  gateways: 'gateway',
  frames: 'frame',
  jobs: 'job',
  events: 'event',
};
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** so many failures in a row, and pages poll while we keep trying */
const PATIENCE = 3;

export function backoffMs(failures: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
}

type Listener = { topic: Topic; take: (data: never) => void };
export type OpenSource = (url: string) => EventSource;

/**
 * The one connection of a tenant. It carries the topics somebody listens to, opens again by itself
 * with growing waits, and says so when events were lost, so that lists can be asked for anew.
 */
export class TenantStream {
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  private readonly lostHandlers = new Set<() => void>();
  private source: EventSource | null = null;
  private topics = '';
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private current: StreamState = 'connecting';

  constructor(
    private readonly tenant: string,
    private readonly open: OpenSource = (url) => new EventSource(url),
  ) {}

  get state(): StreamState {
    return this.current;
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => this.watchers.delete(changed);
  }

  onLost(handler: () => void): () => void {
    this.lostHandlers.add(handler);
    return () => this.lostHandlers.delete(handler);
  }

  listen<T extends Topic>(topic: T, take: (data: StreamEvents[T]) => void): () => void {
    const listener: Listener = { topic, take: take as (data: never) => void };
    this.listeners.add(listener);
    this.schedule(0);
    return () => {
      this.listeners.delete(listener);
      this.schedule(0);
    };
  }

  private wanted(): string {
    return [...new Set([...this.listeners].map(({ topic }) => topic))].sort().join(',');
  }

  private schedule(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), ms);
  }

  private connect(): void {
    const wanted = this.wanted();
    if (wanted === this.topics && this.source) return;
    this.source?.close();
    this.source = null;
    this.topics = wanted;
    if (!wanted) return;
    const path = `/api/v1/tenants/${encodeURIComponent(this.tenant)}/stream`;
    const source = this.open(`${path}?topics=${encodeURIComponent(wanted)}`);
    this.source = source;
    source.addEventListener('hello', () => {
      const missed = this.failures > 0;
      this.failures = 0;
      this.become('live');
      if (missed) this.lost();
    });
    source.addEventListener('lost', () => this.lost());
    source.onerror = () => this.failed(source);
    for (const topic of wanted.split(',') as Topic[]) {
      source.addEventListener(EVENT_OF[topic], (event) => this.deliver(topic, event));
    }
  }

  private deliver(topic: Topic, event: Event): void {
    let data: unknown;
    try {
      data = JSON.parse((event as MessageEvent<string>).data);
    } catch {
      return;
    }
    for (const listener of [...this.listeners]) {
      if (listener.topic === topic) listener.take(data as never);
    }
  }

  private lost(): void {
    for (const handler of [...this.lostHandlers]) handler();
  }

  /** The browser's own retry knows no growing wait and gives up on any status but 200. */
  private failed(source: EventSource): void {
    if (source !== this.source) return;
    source.close();
    this.source = null;
    this.failures += 1;
    this.become(this.failures >= PATIENCE ? 'polling' : 'connecting');
    this.schedule(backoffMs(this.failures));
  }

  private become(state: StreamState): void {
    if (state === this.current) return;
    this.current = state;
    for (const changed of [...this.watchers]) changed();
  }
}

const streams = new Map<string, TenantStream>();

export function tenantStream(tenant: string): TenantStream {
  let stream = streams.get(tenant);
  if (!stream) {
    stream = new TenantStream(tenant);
    streams.set(tenant, stream);
  }
  return stream;
}

/** Calls `take` for every event of a topic while the page is open; null listens to nothing. */
export function useLive<T extends Topic>(
  tenant: string,
  topic: T | null,
  take: (data: StreamEvents[T]) => void,
): void {
  const latest = useRef(take);
  useEffect(() => {
    latest.current = take;
  }, [take]);
  useEffect(() => {
    if (!topic) return undefined;
    return tenantStream(tenant).listen(topic, (data) => latest.current(data));
  }, [tenant, topic]);
}

export function useLiveState(tenant: string): StreamState {
  const [stream] = useState(() => tenantStream(tenant));
  return useSyncExternalStore(
    (changed) => stream.watch(changed),
    () => stream.state,
  );
}

/** refetchInterval of lists that the stream keeps current: asked for again only without it. */
export function usePolling(tenant: string, everyMs = 10_000): number | false {
  return useLiveState(tenant) === 'polling' ? everyMs : false;
}
