// The server sends Content-Security-Policy with style-src 'self' 'nonce-…' and writes the same
// nonce into index.html. Everything that inserts a <style> element at run time must carry it.

const NOT_SERVED = '__CSP_NONCE__';

export function styleNonce(): string | undefined {
  const meta = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]');
  const nonce = meta?.nonce || meta?.getAttribute('nonce');
  return nonce && nonce !== NOT_SERVED ? nonce : undefined;
}

/** The scroll lock of dialogs (react-remove-scroll) looks for its nonce under this global name. */
export function prepareNonce(): void {
  const nonce = styleNonce();
  if (nonce) Object.assign(globalThis, { __webpack_nonce__: nonce });
}
