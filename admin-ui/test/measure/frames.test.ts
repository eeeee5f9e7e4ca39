import { describe, expect, it } from 'vitest';
import { hexOf, innermost, parseHex, rangeText } from '@/components/measure/bytes';
import { LIVE_MAX, LiveFrames, withLive } from '@/components/measure/liveFrames';
import type { Schemas } from '@/api/client';

const frame = (seq: number, second: number, state: Schemas['FrameState'] = 'ok') =>
  ({
    gateway: 'g',
    spool: 's',
    seq,
    state,
    received_at: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  }) as Schemas['Frame'];

describe('bytes', () => {
  it('end where the text is no hex', () => {
    expect(parseHex('2f2F00')).toEqual([0x2f, 0x2f, 0]);
    expect(parseHex('2f2')).toEqual([0x2f]);
    expect(parseHex('2fzz2f')).toEqual([0x2f]);
    expect(parseHex('')).toEqual([]);
  });

  it('belong to the innermost part over them, and to none outside', () => {
    const owners = innermost(
      [
        { offset: 0, length: 6 },
        { offset: 2, length: 2 },
        { offset: 5, length: 100 },
      ],
      8,
    );
    expect(owners).toEqual([0, 0, 1, 1, 0, 0, 2, 2]);
    expect(innermost([{ offset: -4, length: 2 }], 3)).toEqual([-1, -1, -1]);
  });

  it('have places in hex', () => {
    expect(rangeText({ offset: 10, length: 1 })).toBe('0a');
    expect(rangeText({ offset: 10, length: 6 })).toBe('0a–0f');
    expect(hexOf([1, 255, 16], { offset: 1, length: 9 })).toBe('ff 10');
  });
});

describe('live frames', () => {
  it('replace themselves when they come again', () => {
    const live = new LiveFrames();
    live.add(frame(1, 1, 'key-needed'));
    live.add(frame(1, 1));
    expect(live.pending).toBe(2);
    expect(live.take().map(({ state }) => state)).toEqual(['ok']);
    expect(live.pending).toBe(0);
  });

  it('are bounded', () => {
    const live = new LiveFrames();
    for (let seq = 0; seq < LIVE_MAX + 50; seq++) live.add(frame(seq, 1));
    const kept = live.take();
    expect(kept).toHaveLength(LIVE_MAX);
    expect(kept[0]?.seq).toBe(50);
  });

  it('stand in the list by the time of reception, once', () => {
    const rows = withLive(
      [frame(9, 30), frame(4, 12, 'ok')],
      [frame(5, 20), frame(4, 12, 'key-needed')],
      true,
    );
    expect(rows.map(({ seq }) => seq)).toEqual([9, 5, 4]);
    expect(rows[2]?.state).toBe('ok');
  });

  it('wait below the end of a list that is not complete', () => {
    const listed = [frame(5, 20), frame(4, 12)];
    expect(withLive([frame(1, 2)], listed, false).map(({ seq }) => seq)).toEqual([5, 4]);
    expect(withLive([frame(1, 2)], listed, true).map(({ seq }) => seq)).toEqual([5, 4, 1]);
  });
});
