import { describe, expect, it, vi } from 'vitest';
import { joinCsv, type CsvPage } from '@/components/measure/csvPages';

const textOf = (blob: Blob) =>
  new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error('not read'));
    reader.readAsText(blob);
  });

const fetching = (pages: Record<string, CsvPage>) =>
  vi.fn((cursor: string | undefined) => Promise.resolve(pages[cursor ?? ''] as CsvPage));

describe('pages of CSV', () => {
  it('become one file with one line of names, in their order', async () => {
    const page = fetching({
      '': { text: 'code;name\n1;"a;b"\n', next: '1' },
      1: { text: 'code;name\n2;ä\n', next: '2' },
      2: { text: 'code;name\n3;c\n', next: null },
    });
    expect(await textOf(await joinCsv(page))).toBe('code;name\n1;"a;b"\n2;ä\n3;c\n');
    expect(page.mock.calls).toEqual([[undefined], ['1'], ['2']]);
  });

  it('add nothing when a later one is empty', async () => {
    const first = { text: 'code\n1\n', next: '1' };
    for (const text of ['code\n', 'code', '']) {
      const page = fetching({ '': first, 1: { text, next: null } });
      expect(await textOf(await joinCsv(page))).toBe('code\n1\n');
    }
  });

  it('that fail are no file, half as it would be', async () => {
    const page = vi
      .fn<(cursor: string | undefined) => Promise<CsvPage>>()
      .mockResolvedValueOnce({ text: 'code\n1\n', next: '1' })
      .mockRejectedValueOnce(new Error('gone'));
    await expect(joinCsv(page)).rejects.toThrow('gone');
  });

  it('are not asked for without end', async () => {
    const page = fetching({
      '': { text: 'code\n1\n', next: '1' },
      1: { text: 'code\n1\n', next: '1' },
    });
    await expect(joinCsv(page)).rejects.toThrow('twice');
    expect(page).toHaveBeenCalledTimes(2);
  });
});
