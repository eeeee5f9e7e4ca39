import { describe, expect, it } from 'vitest';

type Tree = { [key: string]: string | Tree };
const files = import.meta.glob<{ default: Tree }>('../src/locales/*/*.json', { eager: true });
const sources = import.meta.glob<string>('../src/**/*.{ts,tsx}', {
  eager: true,
  query: '?raw',
  import: 'default',
});

function leaves(tree: Tree, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value);
    else for (const [inner, text] of leaves(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

const texts = new Map(
  Object.entries(files).map(([path, file]) => [
    path.replace('../src/locales/', ''),
    leaves(file.default),
  ]),
);
const namespaces = [
  'common',
  'shell',
  'measure',
  'values',
  'delivery',
  'reports',
  'sent',
  'heard',
  'certificates',
];
const placeholders = (text: string) => (text.match(/\{\{\w+\}\}/g) ?? []).sort().join();

describe('texts', () => {
  it.each(namespaces)('of %s are there in both languages, with the same placeholders', (name) => {
    const german = texts.get(`de/${name}.json`) as Map<string, string>;
    const english = texts.get(`en/${name}.json`) as Map<string, string>;
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [key, text] of german) {
      expect(text, key).not.toBe('');
      expect(placeholders(text), key).toBe(placeholders(english.get(key) ?? ''));
    }
  });

  it('exist for every key that the source names in full', () => {
    const known = new Set(
      namespaces.flatMap((name) =>
        [...(texts.get(`de/${name}.json`)?.keys() ?? [])].flatMap((key) => [
          key.replace(/_(one|other)$/, ''),
          `${name}:${key.replace(/_(one|other)$/, '')}`,
        ]),
      ),
    );
    const missing: string[] = [];
    for (const [path, source] of Object.entries(sources)) {
      for (const [, key] of source.matchAll(/\bt\(\s*'([^']+)'/g)) {
        if (key && !known.has(key)) missing.push(`${path}: ${key}`);
      }
    }
    expect(missing).toEqual([]);
  });
});
