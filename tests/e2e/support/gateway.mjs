// The binary under test: `truststream dev --project DIR --port 0 --json`.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { stopChild, stopWithUs } from './cleanup.mjs'

const DEFAULT_BINARY = fileURLToPath(new URL('../../../target/release/truststream', import.meta.url))
const PATIENCE = 120_000

/** Starts a gateway on a project folder and waits until it says that it is ready. */
export async function startGateway(folder) {
  const binary = resolve(process.env.TRUSTSTREAM_BIN ?? DEFAULT_BINARY)
  if (!existsSync(binary)) {
    throw new Error(`${binary} is not there: cargo build --release, or set TRUSTSTREAM_BIN`)
  }
  const child = spawn(binary, ['dev', '--project', folder, '--port', '0', '--json'], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  stopWithUs(child, 'SIGKILL')
  let log = ''
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-200_000)))

  const ready = await firstLine(child, () => log)
  for (const key of ['api_url', 'anon_key', 'service_role_key', 'jwt_secret', 'pid']) {
    if (!ready[key]) throw new Error(`the ready line has no ${key}: ${JSON.stringify(ready)}`)
  }
  return {
    ...ready,
    log: () => log,
    /** An end without a warning, as a power cut or `kill -9` makes it. */
    kill: () => stopChild(child, 'SIGKILL'),
    /** A graceful end: what `Ctrl-C` does. Fails when it was none, or when something panicked on the way. */
    async stop(signal = 'SIGTERM') {
      const early = child.exitCode !== null || child.signalCode !== null
      const { code, signal: by, killed } = await stopChild(child, signal)
      const how = early ? 'ended before it was asked to' : killed ? 'did not stop in time' : null
      const panicked = /panicked at/.test(log)
      if (how || code !== 0 || panicked) {
        const what = how ?? (panicked ? 'panicked' : `ended with ${by ?? `code ${code}`}`)
        throw new Error(`the gateway ${what}; the end of its log:\n${log.slice(-4_000)}`)
      }
    },
  }
}

/** TRUSTSTREAM_* variables are settings of the binary: none of ours may reach it. */
function environment() {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith('TRUSTSTREAM_'))
  return { ...Object.fromEntries(others), TZ: 'UTC' }
}

function firstLine(child, log) {
  return new Promise((accept, reject) => {
    const settle = () => {
      clearTimeout(timer)
      child.off('exit', onExit)
    }
    const fail = (what) => {
      settle()
      child.kill('SIGKILL')
      reject(new Error(`the gateway ${what}; its log:\n${log()}`))
    }
    const onExit = (code, signal) => fail(`ended with ${signal ?? `code ${code}`} before it was ready`)
    const timer = setTimeout(() => fail(`was not ready within ${PATIENCE / 1000} s`), PATIENCE)
    child.once('error', (error) => fail(`did not start: ${error.message}`))
    child.once('exit', onExit)
    createInterface({ input: child.stdout }).once('line', (line) => {
      try {
        const ready = JSON.parse(line)
        settle()
        accept(ready)
      } catch {
        fail(`printed something else than one line of JSON: ${line}`)
      }
    })
  })
}
