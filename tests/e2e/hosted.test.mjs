// What differs where the database is a hosted project's.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { startHosted, UNHURRIED } from './support/backends.mjs'
import { truststream } from './support/cli.mjs'

/** An app whose backend `there` is a hosted project's database. */
async function appBeside(server) {
  const database = `{ provider = "postgres", url = "${server.url}", ${UNHURRIED.postgres} }`
  return startApp({ settings: `\n[backend.there]\ndatabase = ${database}\nstorage = { provider = "fs", root = "there" }\n` })
}

test('tables that only its platform knows stay, and the plan names them', async () => {
  const app = await startApp({ settings: '\n[backend.there]\ndatabase = { provider = "memory" }\nstorage = { provider = "memory" }\n' })
  after(() => app.stop())
  const { stay, tables } = await truststream(app.folder, 'switch', 'plan', 'there')
  const named = (list) => list.map(({ schema, name }) => `${schema}.${name}`)
  assert.deepEqual(named(stay), ['auth.audit_log_entries'])
  assert.ok(named(tables).includes('auth.mfa_factors') && !named(tables).includes('auth.audit_log_entries'))
})

test('columns that a service needs and the project has not are named', async () => {
  const server = await startHosted()
  after(() => server.stop())
  server.platform.run('alter table auth.users drop column is_anonymous, drop column deleted_at')
  const app = await appBeside(server)
  after(() => app.stop())
  await assert.rejects(truststream(app.folder, 'switch', 'plan', 'there'), /without auth.users.deleted_at, auth.users.is_anonymous/)
})
