// Whatever a test file started or created goes away with it, however it ends.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const children = new Map() // child process → the signal that stops it at once
const folders = new Set()

export function temporaryFolder(prefix) {
  const folder = mkdtempSync(join(tmpdir(), `truststream-${prefix}-`))
  folders.add(folder)
  return folder
}

export function removeFolder(folder) {
  folders.delete(folder)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** Kills `child` with `signal` if this process ends before the child does. */
export function stopWithUs(child, signal) {
  children.set(child, signal)
  child.once('exit', () => children.delete(child))
}

/** Asks a child to end, waits, and kills it when it does not. Returns how it ended. */
export async function stopChild(child, signal, patience = 120_000) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return { code: child.exitCode, signal: child.signalCode, killed: false }
  }
  let killed = false
  const ended = new Promise((resolve) => child.once('exit', (code, by) => resolve({ code, signal: by })))
  child.kill(signal)
  const timer = setTimeout(() => {
    killed = true
    child.kill('SIGKILL')
  }, patience)
  const result = await ended
  clearTimeout(timer)
  return { ...result, killed }
}

function everything() {
  for (const [child, signal] of children) child.kill(signal)
  for (const folder of folders) {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    } catch {
      // A server that is still going down may write once more; the system clears its temporary folder.
    }
  }
}

process.once('exit', everything)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))
