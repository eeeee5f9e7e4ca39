/** Hands bytes to the browser as a file. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // Some browsers read it after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

/** A name that every file system takes. */
export function fileName(...parts: string[]): string {
  return parts.map((part) => part.replace(/[^A-Za-z0-9._-]+/g, '_')).join('_');
}

/** The name in Content-Disposition, when there is one. */
export function dispositionName(header: string | null): string | undefined {
  const match =
    /filename="([^"\\/]+)"/.exec(header ?? '') ?? /filename=([^;"\\/\s]+)/.exec(header ?? '');
  return match?.[1];
}
