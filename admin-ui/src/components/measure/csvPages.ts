export interface CsvPage {
  /** with the line of names */
  text: string;
  /** null: the last one */
  next: string | null;
}

/** Pages of a table, each with the line of names, as one file with one such line. */
export async function joinCsv(page: (cursor: string | undefined) => Promise<CsvPage>) {
  const parts: string[] = [];
  let cursor: string | undefined;
  do {
    const { text, next } = await page(cursor);
    parts.push(parts.length === 0 ? text : text.slice(text.indexOf('\n') + 1 || text.length));
    if (next !== null && next === cursor) throw new Error(`the cursor ${next} came twice`);
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return new Blob(parts, { type: 'text/csv' });
}
