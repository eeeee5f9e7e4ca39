import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TenantStream, backoffMs } from '@/api/stream';
import { applyEvent } from '@/pages/gateways/useGatewayEvents';
import type { Gateway } from '@/pages/gateways/connection';

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  onerror: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }

  close() {
    this.closed = true;
  }

  tell(kind: string, data: unknown) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.dispatchEvent(new MessageEvent(kind, { data: text }));
  }
}

const last = () => FakeSource.all.at(-1) as FakeSource;
const news = {
  gateway: 'gw-1',
  state: 'connected',
  since: '2026-11-21T10:00:00Z',
  peer: null,
  node: 1,
};

function stream() {
  return new TenantStream('demo', (url) => new FakeSource(url) as unknown as EventSource);
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
});
afterEach(() => vi.useRealTimers());

describe('TenantStream', () => {
  it('carries all topics that somebody listens to over one connection', () => {
    const self = stream();
    self.listen('jobs', () => undefined);
    self.listen('gateways', () => undefined);
    vi.advanceTimersByTime(1);
    expect(FakeSource.all).toHaveLength(1);
    expect(last().url).toBe('/api/v1/tenants/demo/stream?topics=gateways%2Cjobs');
  });

  it('delivers events to those who listen to their topic, and survives what is no JSON', () => {
    const self = stream();
    const gateways = vi.fn();
    const jobs = vi.fn();
    self.listen('gateways', gateways);
    self.listen('jobs', jobs);
    vi.advanceTimersByTime(1);
    last().tell('gateway', '{broken');
    last().tell('gateway', news);
    expect(gateways).toHaveBeenCalledExactlyOnceWith(news);
    expect(jobs).not.toHaveBeenCalled();
  });

  it('closes when nobody listens any more', () => {
    const self = stream();
    const stop = self.listen('gateways', () => undefined);
    vi.advanceTimersByTime(1);
    stop();
    vi.advanceTimersByTime(1);
    expect(last().closed).toBe(true);
    expect(FakeSource.all).toHaveLength(1);
  });

  it('opens again with growing waits, lets pages poll meanwhile, and tells of what was missed', () => {
    const self = stream();
    const lost = vi.fn();
    self.onLost(lost);
    self.listen('gateways', () => undefined);
    vi.advanceTimersByTime(1);
    last().tell('hello', {});
    expect(self.state).toBe('live');
    for (const wait of [1_000, 2_000, 4_000]) {
      last().onerror?.();
      vi.advanceTimersByTime(wait - 1);
      expect(last().closed).toBe(true);
      vi.advanceTimersByTime(1);
      expect(last().closed).toBe(false);
    }
    expect(self.state).toBe('polling');
    expect(lost).not.toHaveBeenCalled();
    last().tell('hello', {});
    expect(self.state).toBe('live');
    expect(lost).toHaveBeenCalledOnce();
    last().tell('lost', { count: 12 });
    expect(lost).toHaveBeenCalledTimes(2);
  });

  it('never waits longer than a minute', () => {
    expect(backoffMs(1)).toBe(1_000);
    expect(backoffMs(50)).toBe(60_000);
  });
});

describe('applyEvent', () => {
  const gateway = { id: 'gw-1', connection: null } as Gateway;

  it('shows a first connection', () => {
    expect(applyEvent(gateway, news).connection).toMatchObject({
      state: 'connected',
      since: news.since,
      ended_at: null,
    });
  });

  it('keeps the beginning of a session that ended', () => {
    const connected = applyEvent(gateway, news);
    const ended = applyEvent(connected, { ...news, state: 'lost', since: '2026-11-21T11:00:00Z' });
    expect(ended.connection).toMatchObject({
      state: 'lost',
      since: news.since,
      ended_at: '2026-11-21T11:00:00Z',
    });
  });

  it('leaves a gateway alone on a state it does not know', () => {
    expect(applyEvent(gateway, { ...news, state: 'sleeping' })).toBe(gateway);
  });
});
