// Faults on purpose, as the official client meets them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok, refuses } from './support/expect.mjs'
import { BACKEND } from './support/project.mjs'
import { eventually } from './support/waiting.mjs'

async function withFaults(rules) {
  const list = rules.map((rule) => `  { ${rule} },`).join('\n')
  const app = await startApp({ settings: `[layers.faults]\nseed = 7\nrules = [\n${list}\n]\n` })
  after(() => app.stop())
  return app
}

const skus = async (app, prefix) =>
  column(ok(await app.service().from('products').select('sku').like('sku', `${prefix}%`).order('sku')), 'sku')
const product = (sku) => ({ sku, name: sku })

describe('what may be repeated is borne', () => {
  test('a database that is away for a moment is not noticed', async () => {
    const app = await withFaults(['operations = ["database.insert"], error = "unavailable", times = 2'])
    ok(await app.service().from('products').insert(product('once')), 201)
    assert.deepEqual(await skus(app, 'once'), ['once'])
  })

  test('a connection lost by a read is not noticed', async () => {
    const app = await withFaults(['operations = ["database.select"], error = "connection_lost", times = 2'])
    assert.equal(ok(await app.anon().from('artists').select('id')).length, 5)
  })
})

describe('what may not be repeated is told', () => {
  test('a write whose reply is lost was applied once, and says that nobody knows', async () => {
    const app = await withFaults([
      'operations = ["database.insert"], error = "connection_lost", applied = "always", times = 1',
    ])
    fails(await app.service().from('products').insert(product('lost')), { status: 503, code: 'BACKEND_005' })
    assert.deepEqual(await skus(app, 'lost'), ['lost'])
    fails(await app.service().from('products').insert(product('lost')), { status: 409, code: '23505' })
  })

  test('with an idempotency key it is repeated, and there once', async () => {
    const app = await withFaults([
      'operations = ["database.insert"], error = "connection_lost", applied = "always", times = 1',
    ])
    const headers = { 'idempotency-key': 'pay-once' }
    const insert = () => app.rest('/products', { method: 'POST', token: app.serviceKey, headers, json: product('key') })
    const first = await insert()
    if (BACKEND === 'supabase') return refuses(first, 400, { code: '0A000' })
    if (first.status !== 201) answers(await insert(), 201)
    assert.deepEqual(await skus(app, 'key'), ['key'])
  })

  test('kinds of errors have the status of the real ones', async () => {
    const app = await withFaults([
      'operations = ["database.insert"], error = "permission_denied", times = 1',
      'operations = ["database.update"], error = "constraint", times = 1',
      'operations = ["database.delete"], error = "internal", times = 1',
    ])
    const products = app.service().from('products')
    fails(await products.insert(product('x')), { status: 403, code: '42501' })
    fails(await products.update({ name: 'y' }).eq('sku', 'x'), { status: 400, code: '23514' })
    fails(await products.delete().eq('sku', 'x'), { status: 500, code: 'XX000' })
    ok(await products.insert(product('x')), 201)
    assert.deepEqual(await skus(app, 'x'), ['x'])
  })
})

describe('latency and rates', () => {
  test('an operation begins late, as often as it may', async () => {
    const app = await withFaults(['operations = ["database.insert"], latency = "2s", times = 1'])
    const took = async (sku) => {
      const began = performance.now()
      ok(await app.service().from('products').insert(product(sku)), 201)
      return performance.now() - began
    }
    assert.ok((await took('slow-1')) >= 2_000)
    // On a busy machine others may take as long, but not all of them.
    let n = 2
    await eventually(async () => (await took(`slow-${n++}`)) < 2_000, { what: 'an insert that is not late' })
  })

  test('a part of the writes fails, and what the client was told is what is there', async () => {
    const app = await withFaults(['operations = ["database.insert"], error = "constraint", rate = 0.4'])
    const told = []
    for (let n = 0; n < 60; n += 1) {
      const sku = `part-${String(n).padStart(2, '0')}`
      const { error } = await app.service().from('products').insert(product(sku))
      if (error) assert.equal(error.code, '23514')
      else told.push(sku)
    }
    assert.ok(told.length > 10 && told.length < 58, `${told.length} of 60`)
    assert.deepEqual(await skus(app, 'part-'), told)
  })
})

test('a step of an atomic call fails: it is named, and nothing is there', async () => {
  const app = await withFaults(['error = "constraint", step = 1, times = 1'])
  const requests = ['a', 'b', 'c'].map((sku) => ({ method: 'POST', path: '/products', body: product(`step-${sku}`) }))
  const atomic = () =>
    app.ask('/truststream/v1/atomic', { method: 'POST', token: app.serviceKey, json: { requests } })
  const error = refuses(await atomic(), 400, { code: '23514' })
  assert.match(JSON.stringify(error), /\b1\b/)
  assert.deepEqual(await skus(app, 'step-'), [])
  if (BACKEND === 'supabase') return refuses(await atomic(), 400, { code: '0A000' })
  answers(await atomic(), 200)
  assert.deepEqual(await skus(app, 'step-'), ['step-a', 'step-b', 'step-c'])
})

test('files: an upload that failed left nothing behind, and the next one succeeds', async () => {
  // A remote project keeps the bytes itself: there the upload as a whole fails.
  const operation = BACKEND === 'supabase' ? 'storage.upload' : 'objects.put'
  const app = await withFaults([`operations = ["${operation}"], error = "internal", times = 1`])
  const ada = await app.user('ada')
  const files = ada.client.storage.from('vault')
  const upload = () => files.upload(`${ada.id}/note.txt`, 'text', { contentType: 'text/plain' })
  fails(await upload())
  assert.deepEqual(ok(await files.list(ada.id)), [])
  ok(await upload())
  assert.equal(await ok(await files.download(`${ada.id}/note.txt`)).text(), 'text')
})
