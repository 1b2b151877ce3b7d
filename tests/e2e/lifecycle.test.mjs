// The end of the process and what is there when it starts again.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { ok } from './support/expect.mjs'
import { startGateway } from './support/gateway.mjs'

const app = await startApp()
after(() => app.stop())

/** Everything that a user leaves behind: a row, a session, a file. */
async function leaveTraces(name) {
  const user = await app.user(name)
  const row = ok(await user.client.from('todos').insert({ title: name }).select().single())
  ok(await user.client.storage.from('vault').upload(`${user.id}/a.txt`, name, { contentType: 'text/plain' }))
  return { ...user, row, name }
}

async function expectTraces({ name, id, email, password, row, token, session }) {
  const client = app.anon()
  ok(await client.auth.setSession({ access_token: token, refresh_token: session.refresh_token }))
  assert.deepEqual(ok(await client.from('todos').select().eq('id', row.id)), [row])
  assert.equal(await ok(await client.storage.from('vault').download(`${id}/a.txt`)).text(), name)
  ok(await client.auth.refreshSession())
  ok(await app.anon().auth.signInWithPassword({ email, password }))
}

test('a second start finds everything, with the same keys, and applies nothing twice', async () => {
  const traces = await leaveTraces('orderly')
  const keys = [app.anonKey, app.serviceKey, app.jwtSecret]
  await app.restart('SIGINT')
  assert.deepEqual([app.anonKey, app.serviceKey, app.jwtSecret], keys)
  await expectTraces(traces)
  assert.equal(ok(await app.anon().from('artists').select('id')).length, 5)
  const next = ok(await app.service().from('todos').insert({ title: 'next', user_id: traces.id }).select('id').single())
  assert.ok(next.id > traces.row.id)
})

test('what was acknowledged survives kill -9', async () => {
  const traces = await leaveTraces('sudden')
  const rows = Array.from({ length: 50 }, (_, n) => ({ sku: `k${n}`, name: `k${n}` }))
  await Promise.all(rows.map(async (row) => ok(await app.service().from('products').insert(row), 201)))
  await app.restart('SIGKILL')
  await expectTraces(traces)
  assert.equal(ok(await app.service().from('products').select('sku').like('sku', 'k%')).length, 50)
})

test('what was acknowledged while the process ends is there', async () => {
  const insert = async (n) =>
    app.service().from('products').insert({ sku: `last-${n}`, name: 'last' }).select('sku').single()
  const requests = Array.from({ length: 20 }, (_, n) => insert(n))
  ok(await Promise.race(requests), 201)
  const results = Promise.all(requests)
  await app.restart('SIGTERM')
  const acknowledged = (await results).filter((result) => result.error === null).map((result) => result.data.sku)
  const stored = ok(await app.service().from('products').select('sku').like('sku', 'last-%')).map((row) => row.sku)
  for (const sku of acknowledged) assert.ok(stored.includes(sku), sku)
})

test('two on one folder: the second says who holds it, and the first goes on', async () => {
  await assert.rejects(startGateway(app.folder), (error) => {
    assert.match(error.message, /ended with code [1-9]/)
    assert.ok(error.message.includes(String(app.pid)), error.message)
    return true
  })
  assert.equal(ok(await app.anon().from('artists').select('id')).length, 5)
})
