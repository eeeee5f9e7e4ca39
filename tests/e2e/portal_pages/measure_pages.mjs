/** The pages about measured values: addresses, and what to open on them. */
export async function measurePages(browser, world) {
  const base = `/t/${world.tenant}`;
  return [{ name: "overview", path: base }];
}
