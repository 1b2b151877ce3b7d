// The backends that every test runs on: how each starts, and what a gateway is told of it.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { removeFolder, temporaryFolder } from './cleanup.mjs'
import { startGateway } from './gateway.mjs'
import { startMongo } from './mongodb.mjs'
import { startPostgres } from './postgres.mjs'

const FILES = '{ provider = "fs", root = ".truststream/objects" }'
const HOSTED = fileURLToPath(new URL('../../fixtures/hosted.sql', import.meta.url))
const NATIVE = '{ provider = "native" }'

/** A busy machine is neither a provider that is down nor a pause that is too long. */
export const PATIENT = `
[health]
timeout = "120s"
latency = "120s"
[switch]
hold = "120s"
max_pause = "60s"
`
/** Nor is one of these down when it connects, or gives a connection back, late. */
export const UNHURRIED = { postgres: 'pool = { wait_ms = 120000 }', mongodb: 'connect_timeout_s = 120' }

/**
 * By name: takes the project's folder, starts what the backend needs, and says what `truststream.toml` has
 * of it (`settings`) and how it ends (`stop`).
 */
const STARTS = {
  sqlite: async () => ({ settings: '', stop: async () => {} }),
  memory: async () => ({
    settings: main('{ provider = "memory" }', '{ provider = "memory" }', NATIVE),
    stop: async () => {},
  }),
  postgres: async () => onServer('postgres', await startPostgres()),
  hosted: async () => onServer('postgres', await startHosted()),
  mongodb: async () => onServer('mongodb', await startMongo()),
  supabase: startRemote,
}

export const BACKENDS = Object.keys(STARTS)

const SAME_TABLES = 'tables of the project are as on postgres'

/** Test files that ask for what a backend can't have, or that tell nothing of it, each with the reason. */
export const BEYOND = {
  hosted: {
    'data_embeds.test.mjs': SAME_TABLES,
    'data_errors.test.mjs': SAME_TABLES,
    'data_filters.test.mjs': SAME_TABLES,
    'data_select.test.mjs': SAME_TABLES,
    'data_types.test.mjs': SAME_TABLES,
    'data_wire.test.mjs': SAME_TABLES,
    'data_writes.test.mjs': SAME_TABLES,
    'faults.test.mjs': SAME_TABLES,
    'rls_rows.test.mjs': 'the platform grants new tables to everybody',
    'rls_tables.test.mjs': 'the platform grants new tables to everybody',
    'security_input.test.mjs': SAME_TABLES,
    'switch_hosted.test.mjs': 'there and back is told by the others',
    'switch_platform.test.mjs': 'there and back is told by the others',
    'switch_mongodb.test.mjs': SAME_TABLES,
  },
  postgres: {
    'switch_hosted.test.mjs': 'the way there is as from sqlite',
    'switch_platform.test.mjs': 'the way there is as from sqlite',
  },
  memory: {
    'lifecycle.test.mjs': 'what is in memory ends with the process',
    'switch_crash.test.mjs': 'what is in memory ends with the process',
    'switch_platform.test.mjs': 'what is in memory ends with the process',
  },
  mongodb: {
    'switch_crash.test.mjs': 'chunks of 40 rows take SecantusDB longer than a file may',
  },
  supabase: {
    'realtime_changes.test.mjs': 'a data API has no ordered feed of changes',
    'switch.test.mjs': 'a data API has no ordered feed of changes',
    'switch_crash.test.mjs': 'a data API has no ordered feed of changes',
    'switch_hosted.test.mjs': 'a data API has no ordered feed of changes',
    'switch_platform.test.mjs': 'a data API has no ordered feed of changes',
    'switch_mongodb.test.mjs': 'a data API has no ordered feed of changes',
  },
}

for (const name of BACKENDS.filter((name) => name !== 'hosted')) {
  BEYOND[name] = { ...BEYOND[name], 'hosted.test.mjs': 'it asks what a hosted project has' }
}

export function startBackend(name, folder) {
  const start = STARTS[name]
  if (!start) throw new Error(`TRUSTSTREAM_TEST_BACKEND=${name}: expected ${BACKENDS.join(' or ')}`)
  return start(folder)
}

function main(database, storage, auth) {
  return `active = "main"

[backend.main]
database = ${database}
storage = ${storage}
auth = ${auth}
`
}

function onServer(provider, server) {
  const database = `{ provider = "${provider}", url = "${server.url}", ${UNHURRIED[provider]} }`
  return { settings: main(database, FILES, NATIVE), stop: () => server.stop() }
}

/** The database of a hosted project, reached by its connection string; `platform` reaches it as its superuser. */
export async function startHosted() {
  const server = await startPostgres()
  server.run(readFileSync(HOSTED, 'utf8'))
  return { ...server, platform: server, url: server.url.replace('postgres@', 'project@') }
}

/**
 * A hosted project with its storage API: another gateway serves that, on the very database, so that rows of files
 * are written behind the back of the one under test.
 */
export async function startPlatform() {
  const server = await startHosted()
  const there = temporaryFolder('platform')
  writeFileSync(join(there, 'truststream.toml'), `${onServer('postgres', server).settings}${PATIENT}`)
  const gateway = await startGateway(there)
  const keys = `service_key = "${gateway.service_role_key}", anon_key = "${gateway.anon_key}"`
  return {
    ...server,
    gateway,
    storage: `{ provider = "supabase", url = "${gateway.api_url}", ${keys}, jwt_secret = "${gateway.jwt_secret}" }`,
    async stop() {
      await gateway.stop()
      await server.stop()
      removeFolder(there)
    },
  }
}

/** A project of its own with the same files, on PostgreSQL; the one under test has its URL and keys only. */
async function startRemote(folder) {
  const server = await startPostgres()
  const there = temporaryFolder('remote')
  cpSync(folder, there, { recursive: true })
  const { settings } = onServer('postgres', server)
  writeFileSync(join(there, 'truststream.toml'), `${settings}${PATIENT}\n[rest]\ntx_end = "commit-allow-override"\n`)
  for (const name of ['migrations', 'seed.sql']) rmSync(join(folder, 'supabase', name), { recursive: true })
  const gateway = await startGateway(there)
  const keys = `service_key = "${gateway.service_role_key}", anon_key = "${gateway.anon_key}"`
  const project = `{ provider = "supabase", url = "${gateway.api_url}", ${keys}, jwt_secret = "${gateway.jwt_secret}" }`
  return {
    settings: main(project, project, project),
    async stop() {
      await gateway.stop()
      await server.stop()
      removeFolder(there)
    },
  }
}
