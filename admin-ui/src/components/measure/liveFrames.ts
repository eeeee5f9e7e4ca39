import type { Schemas } from '@/api/client';

type Frame = Schemas['Frame'];

export const frameKey = ({
  gateway,
  spool,
  seq,
}: Pick<Frame, 'gateway' | 'spool' | 'seq'>): string => `${gateway}/${spool}/${seq}`;

/** More than this a reader does not scroll through; older ones are in the list anyway. */
export const LIVE_MAX = 500;

/** What the stream brought, bounded; a frame that comes again replaces itself. */
export class LiveFrames {
  // In the order of arrival, the latest at the end. A gateway that catches up sends thousands.
  private readonly frames = new Map<string, Frame>();
  private news = 0;

  /** since the last take() */
  get pending(): number {
    return this.news;
  }

  add(frame: Frame): void {
    const key = frameKey(frame);
    this.frames.delete(key);
    this.frames.set(key, frame);
    this.news += 1;
    if (this.frames.size <= LIVE_MAX) return;
    const [oldest] = this.frames.keys();
    if (oldest !== undefined) this.frames.delete(oldest);
  }

  take(): Frame[] {
    this.news = 0;
    return [...this.frames.values()];
  }
}

/**
 * The list with what came live, newest reception first. A frame that a gateway delivers late has
 * its place further down; below the end of an incomplete list it waits until one gets there.
 */
export function withLive(
  live: readonly Frame[],
  listed: readonly Frame[],
  complete: boolean,
): Frame[] {
  if (live.length === 0) return [...listed];
  const end = complete ? '' : (listed.at(-1)?.received_at ?? '');
  const rows = new Map(listed.map((frame) => [frameKey(frame), frame]));
  for (const frame of live)
    if (frame.received_at >= end || rows.has(frameKey(frame))) rows.set(frameKey(frame), frame);
  // RFC 3339 in UTC from one server: the text sorts as the time does, to the second and beyond
  // where both have a fraction; the stable sort keeps the rest in place.
  return [...rows.values()].sort((a, b) =>
    a.received_at < b.received_at ? 1 : a.received_at > b.received_at ? -1 : 0,
  );
}
