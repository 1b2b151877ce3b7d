// A real server of MongoDB's protocol of one's own, in a temporary folder, on a free port: SecantusDB,
// which `cargo xtask setup` installs.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { removeFolder, stopChild, stopWithUs, temporaryFolder } from './cleanup.mjs'
import { accepts, freePort } from './port.mjs'

export async function startMongo() {
  for (let attempt = 1; ; attempt += 1) {
    const server = await tryToStart()
    if (server) return server
    if (attempt === 3) throw new Error('SecantusDB did not start: three ports in a row were taken')
  }
}

async function tryToStart() {
  const folder = temporaryFolder('mongodb')
  const port = await freePort()
  const arguments_ = ['--host', '127.0.0.1', '--port', String(port), '--storage-path', folder, '--log-level', 'ERROR']
  const child = spawn(program(), arguments_, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  stopWithUs(child, 'SIGKILL')
  let log = ''
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)))

  if (!(await accepts(port, child))) {
    await stopChild(child, 'SIGKILL')
    removeFolder(folder)
    if (/address already in use/i.test(log)) return null
    throw new Error(`SecantusDB did not start:\n${log}`)
  }
  return {
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    log: () => log,
    async stop() {
      await stopChild(child, 'SIGTERM')
      removeFolder(folder)
    },
  }
}

function program() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const found = join(cache, 'truststream/secantusdb/bin/secantusd-py')
  if (!existsSync(found)) throw new Error(`${found} is not on this machine: cargo xtask setup installs it`)
  return found
}
