import type { Schemas } from '@/api/client';

type Frame = Schemas['Frame'];

export const frameKey = ({
  gateway,
  spool,
  seq,
}: Pick<Frame, 'gateway' | 'spool' | 'seq'>): string => `${gateway}/${spool}/${seq}`;

/** More than this a reader does not scroll through; older ones are in the list anyway. */
export const LIVE_MAX = 500;

/** What the stream brought, newest first and bounded; a frame that comes again replaces itself. */
export class LiveFrames {
  private frames: Frame[] = [];
  private news = 0;

  /** since the last take() */
  get pending(): number {
    return this.news;
  }

  add(frame: Frame): void {
    const key = frameKey(frame);
    const known = this.frames.findIndex((old) => frameKey(old) === key);
    if (known >= 0) this.frames[known] = frame;
    else this.frames = [frame, ...this.frames].slice(0, LIVE_MAX);
    this.news += 1;
  }

  take(): Frame[] {
    this.news = 0;
    return [...this.frames];
  }
}
