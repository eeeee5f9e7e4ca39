// Bytes of a frame, and which part of the explanation each of them belongs to.

/** Byte values of hex text; a last half byte and anything that is no hex end the list. */
export function parseHex(hex: string): number[] {
  const bytes: number[] = [];
  for (let i = 0; i + 1 < hex.length; i += 2) {
    const pair = hex.slice(i, i + 2);
    if (!/^[0-9a-fA-F]{2}$/.test(pair)) break;
    bytes.push(parseInt(pair, 16));
  }
  return bytes;
}

export interface Range {
  offset: number;
  length: number;
}

export const covers = ({ offset, length }: Range, position: number): boolean =>
  position >= offset && position < offset + length;

/** For each byte the index of the innermost (shortest) range over it, -1 for none. */
export function innermost(ranges: readonly Range[], count: number): number[] {
  const owner = new Array<number>(count).fill(-1);
  const width = new Array<number>(count).fill(Infinity);
  ranges.forEach((range, index) => {
    const end = Math.min(range.offset + range.length, count);
    for (let at = Math.max(range.offset, 0); at < end; at++)
      // Equal length: the later one is the deeper one.
      if (range.length <= (width[at] ?? 0)) {
        owner[at] = index;
        width[at] = range.length;
      }
  });
  return owner;
}

/** 0x000c–0x000f, or one offset. */
export function rangeText({ offset, length }: Range): string {
  const hex = (n: number) => n.toString(16).padStart(2, '0');
  return length <= 1 ? hex(offset) : `${hex(offset)}–${hex(offset + length - 1)}`;
}

export const hexByte = (value: number): string => value.toString(16).padStart(2, '0');

/** Hex text of a range, for reading beside a field. */
export function hexOf(bytes: readonly number[], { offset, length }: Range): string {
  return bytes
    .slice(offset, offset + length)
    .map(hexByte)
    .join(' ');
}
