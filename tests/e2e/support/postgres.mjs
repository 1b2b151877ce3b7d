// A real PostgreSQL of one's own, in a temporary folder, on a free port.

import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { removeFolder, stopChild, stopWithUs, temporaryFolder } from './cleanup.mjs'
import { accepts, freePort } from './port.mjs'

const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_wal_size: '128MB',
  jit: 'off',
  wal_level: 'logical',
  timezone: 'UTC',
  unix_socket_directories: '',
}

export async function startPostgres() {
  for (let attempt = 1; ; attempt += 1) {
    const server = await tryToStart()
    if (server) return server
    if (attempt === 3) throw new Error('PostgreSQL did not start: three ports in a row were taken')
  }
}

async function tryToStart() {
  const folder = temporaryFolder('postgres')
  const identity = ordinaryUser()
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid)
  const data = join(folder, 'data')
  const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' }
  execFileSync(program('initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...identity,
    env,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })

  const port = await freePort()
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(program('postgres'), ['-D', data, '-h', '127.0.0.1', '-p', String(port), ...settings], {
    ...identity,
    env,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  stopWithUs(child, 'SIGQUIT')
  let log = ''
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)))

  if (!(await accepts(port, child, () => log.includes('ready to accept connections')))) {
    await stopChild(child, 'SIGQUIT')
    removeFolder(folder)
    if (log.includes('Address already in use')) return null
    throw new Error(`PostgreSQL did not start:\n${log}`)
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    /** Runs SQL past the gateway. */
    run(sql) {
      execFileSync(program('psql'), ['-qX', '-v', 'ON_ERROR_STOP=1', '-c', sql, this.url], { env })
    },
    async stop() {
      await stopChild(child, 'SIGINT')
      removeFolder(folder)
    },
  }
}

/** PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`. */
function ordinaryUser() {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // not on this machine: the next one
    }
  }
  throw new Error('running as root, and there is no user postgres or nobody to run PostgreSQL as')
}

function program(name) {
  const onPath = (process.env.PATH ?? '').split(':').map((folder) => join(folder, name))
  const packaged = '/usr/lib/postgresql'
  const versions = existsSync(packaged) ? readdirSync(packaged).sort((a, b) => Number(b) - Number(a)) : []
  const candidates = [...onPath, ...versions.map((version) => join(packaged, version, 'bin', name))]
  const found = candidates.find((candidate) => existsSync(candidate))
  if (!found) throw new Error(`${name} is not on this machine: install PostgreSQL 15 or put it on the PATH`)
  return found
}
