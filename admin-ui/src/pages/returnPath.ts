const HERE = 'https://portal.invalid';

/** Back to where somebody wanted to go, and never to another site. */
export function returnPath(search: string): string {
  const wanted = new URLSearchParams(search).get('return');
  if (!wanted?.startsWith('/') || !URL.canParse(wanted, HERE)) return '/';
  const { origin, pathname, search: query } = new URL(wanted, HERE);
  return origin === HERE ? pathname + query : '/';
}
