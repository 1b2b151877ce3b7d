// The command line, as an operator uses it.

import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const DEFAULT_BINARY = fileURLToPath(new URL('../../../target/release/truststream', import.meta.url))

/** Runs `truststream ...args --project folder --json` and returns what it prints; fails when it fails. */
export async function truststream(folder, ...args) {
  const binary = resolve(process.env.TRUSTSTREAM_BIN ?? DEFAULT_BINARY)
  const { stdout } = await promisify(execFile)(binary, [...args, '--project', folder, '--json'], { timeout: 900_000 })
  return JSON.parse(stdout)
}
