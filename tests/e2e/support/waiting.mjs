// For the few things that only time brings about.

/** Calls `probe` until it gives something true, and gives that. */
export async function eventually(probe, { patience = 120_000, pause = 100, what = 'it' } = {}) {
  const until = Date.now() + patience
  for (;;) {
    const found = await probe()
    if (found) return found
    if (Date.now() > until) throw new Error(`${what} did not happen within ${patience} ms`)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}
