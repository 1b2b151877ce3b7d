// Input that means harm or makes no sense: a clear error, nothing done, and the process goes on.

import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, ok } from './support/expect.mjs'
import { connect } from './support/phoenix.mjs'

const app = await startApp()
after(() => app.stop())
const service = app.service()

const INJECTIONS = [
  "'; drop table public.products; --",
  '"; drop table public.products; --',
  "1) or 1=1; delete from products where ('1'='1",
  "x' union select secret from secrets --",
  '$$; drop table products; $$',
  "\\'; drop table products; --",
  '/* */ or true --',
  'products"."name',
  "e'\\x27; drop table products; --",
]

/** What an attack would have changed. */
async function state() {
  const rows = ok(await service.from('products').select('sku, name').order('sku'))
  const secrets = ok(await service.from('secrets').select('secret'))
  const users = ok(await service.auth.admin.listUsers({ perPage: 1000 })).users.length
  return { rows, secrets, users }
}

/** Sends a request for each injection; every answer is a clear one, and nothing leaks. */
async function attack(request) {
  const before = await state()
  for (const text of INJECTIONS) {
    const reply = await request(text, encodeURIComponent(text))
    assert.ok(reply.status < 500, `${text}: ${reply.status} ${reply.text.slice(0, 300)}`)
    assert.doesNotMatch(reply.text, /the vault code/, text)
  }
  assert.deepEqual(await state(), before)
}

let ada
before(async () => {
  ada = await app.user('ada')
  ok(await service.from('products').insert([{ sku: 's1', name: 'one' }, { sku: 's2', name: 'two' }]))
})

describe('SQL in every position of a read', () => {
  const token = () => app.serviceKey
  const positions = {
    'table name': (_, url) => app.rest(`/${url}`, { token: token() }),
    'selected column': (_, url) => app.rest(`/products?select=${url}`, { token: token() }),
    alias: (_, url) => app.rest(`/products?select=${url}:name`, { token: token() }),
    cast: (_, url) => app.rest(`/products?select=name::${url}`, { token: token() }),
    'JSON path': (_, url) => app.rest(`/products?select=attrs->>${url}`, { token: token() }),
    'filtered column': (_, url) => app.rest(`/products?${url}=eq.1`, { token: token() }),
    'filtered JSON path': (_, url) => app.rest(`/products?attrs->${url}=eq.1`, { token: token() }),
    operator: (_, url) => app.rest(`/products?name=${url}.x`, { token: token() }),
    'number to compare': (_, url) => app.rest(`/products?id=eq.${url}`, { token: token() }),
    'list of in': (_, url) => app.rest(`/products?name=in.(${url})`, { token: token() }),
    pattern: (_, url) => app.rest(`/products?name=like.${url}`, { token: token() }),
    'regular expression': (_, url) => app.rest(`/products?name=match.${url}`, { token: token() }),
    array: (_, url) => app.rest(`/products?tags=cs.{${url}}`, { token: token() }),
    is: (_, url) => app.rest(`/products?name=is.${url}`, { token: token() }),
    'or tree': (_, url) => app.rest(`/products?or=(name.eq.${url},id.eq.1)`, { token: token() }),
    order: (_, url) => app.rest(`/products?order=${url}`, { token: token() }),
    direction: (_, url) => app.rest(`/products?order=id.${url}`, { token: token() }),
    limit: (_, url) => app.rest(`/products?limit=${url}&offset=${url}`, { token: token() }),
    embed: (_, url) => app.rest(`/products?select=id,${url}(id)`, { token: token() }),
    hint: (_, url) => app.rest(`/products?select=id,orders!${url}(id)`, { token: token() }),
    function: (_, url) => app.rest(`/rpc/${url}`, { token: token(), method: 'POST', json: {} }),
    schema: (text) => app.rest('/products', { token: token(), headers: { 'accept-profile': text } }),
    'time zone': (text) => app.rest('/products', { token: token(), headers: { prefer: `handling=strict, timezone=${text}` } }),
  }
  for (const [where, request] of Object.entries(positions)) test(where, () => attack(request))

  test('a text to compare is only ever a text', async () => {
    await attack(async (text, url) => {
      const reply = answers(await app.rest(`/products?name=eq.${url}`, { token: token() }), 200)
      assert.deepEqual(reply.json, [], text)
      return reply
    })
  })
})

describe('SQL in every position of a write', () => {
  const write = (path, json, method = 'POST') => app.rest(path, { method, token: app.serviceKey, json })

  test('a value is stored as it is', async () => {
    for (const [n, text] of INJECTIONS.entries()) {
      const values = { sku: `v${n}`, name: text, tags: [text], attrs: { [text]: text } }
      const row = ok(await service.from('products').insert(values).select('name, tags, attrs').single(), 201)
      assert.deepEqual(row, { name: text, tags: [text], attrs: { [text]: text } })
      assert.equal(ok(await service.from('products').select('id').eq('name', text)).length, 1)
      ok(await service.from('products').delete().eq('name', text))
    }
  })

  test('key of an insert', () => attack((text) => write('/products', { sku: 'k', name: 'k', [text]: 1 })))
  test('columns', () => attack((_, url) => write(`/products?columns=${url}`, { sku: 'k', name: 'k' })))
  test('conflict target', () => attack((_, url) => write(`/products?on_conflict=${url}`, { sku: 's1', name: 'one' })))
  test('key of an update', () => attack((text) => write('/products?sku=eq.s1', { [text]: 1 }, 'PATCH')))
  test('filter of an update', () => attack((_, url) => write(`/products?sku=eq.${url}`, { name: 'changed' }, 'PATCH')))
  test('filter of a delete', () => attack((_, url) => write(`/products?sku=eq.${url}`, undefined, 'DELETE')))
})

describe('SQL in auth, storage and claims', () => {
  test('address and password', async () => {
    await attack((text) =>
      app.auth('/token?grant_type=password', { method: 'POST', json: { email: text, password: text } })
    )
    await attack((text) => app.auth('/token?grant_type=refresh_token', { method: 'POST', json: { refresh_token: text } }))
    await attack((_, url) => app.auth(`/admin/users/${url}`, { token: app.serviceKey }))
    await attack((_, url) => app.auth(`/admin/users?page=${url}&per_page=${url}&filter=${url}`, { token: app.serviceKey }))
  })

  test('bucket, name, prefix, search, order', async () => {
    const list = (json) => app.storage('/object/list/vault', { method: 'POST', token: app.serviceKey, json })
    await attack((_, url) => app.storage(`/bucket/${url}`, { token: app.serviceKey }))
    await attack((_, url) => app.storage(`/object/vault/${url}`, { token: app.serviceKey }))
    await attack((text) => list({ prefix: text, limit: 10, offset: 0 }))
    await attack((text) => list({ prefix: '', search: text, limit: 10, offset: 0 }))
    await attack((text) => list({ prefix: '', limit: 10, offset: 0, sortBy: { column: text, order: text } }))
    await attack((text) => app.storage('/object/vault', { method: 'DELETE', token: app.serviceKey, json: { prefixes: [text] } }))
  })

  test('table, schema and filter of a subscription', async () => {
    const socket = await connect(app.url, { apikey: app.serviceKey, vsn: '2.0.0' })
    const messages = { event: '*', schema: 'public', table: 'messages' }
    const before = await state()
    for (const [n, text] of INJECTIONS.entries()) {
      const wishes = [{ table: text }, { schema: text }, { filter: `body=eq.${text}` }, { filter: `${text}=eq.1` }, { filter: text }]
      for (const [m, wish] of wishes.entries()) {
        const reply = await socket.join(`realtime:${n}-${m}`, { postgres_changes: [{ ...messages, ...wish }] })
        assert.ok(['ok', 'error'].includes(reply.status), text)
      }
    }
    assert.equal((await socket.call('phoenix', 'heartbeat', {})).status, 'ok')
    await socket.close()
    assert.deepEqual(await state(), before)
  })

  test('metadata that policies read', async () => {
    for (const text of INJECTIONS.slice(0, 4)) {
      const user = await app.user('sly', { app_metadata: { department: text } })
      assert.deepEqual(ok(await user.client.from('tickets').select()), [])
      ok(await service.auth.admin.deleteUser(user.id))
    }
  })
})

describe('sizes and depths', () => {
  /** Offers a body of blanks, and sends it when the server wants it; gives the status of the answer. */
  function sendLarge(path, megabytes) {
    const piece = Buffer.alloc(1024 * 1024, ' ')
    const headers = {
      'content-type': 'application/json',
      'content-length': megabytes * piece.length,
      authorization: `Bearer ${app.serviceKey}`,
      expect: '100-continue',
    }
    return new Promise((resolve, reject) => {
      const request = httpRequest(`${app.url}${path}`, { method: 'POST', headers, agent: false })
      request.once('continue', () => {
        Readable.from(Array.from({ length: megabytes }, () => piece)).pipe(request)
      })
      request.once('response', (response) => {
        resolve(response.statusCode)
        request.destroy()
      })
      request.once('error', reject)
      request.flushHeaders()
    })
  }

  test('a body over the limit is refused', async () => {
    assert.equal(await sendLarge('/auth/v1/signup', 128), 413)
    assert.equal(await sendLarge('/rest/v1/products', 128), 413)
  })

  test('JSON that goes deeper than anybody needs', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const headers = { 'content-type': 'application/json' }
    const bodies = [deep, `{"attrs": ${deep}}`, '{"a":'.repeat(50_000)]
    for (const body of bodies) {
      const data = await app.rest('/products', { method: 'POST', token: app.serviceKey, headers, body })
      assert.ok(data.status >= 400 && data.json.code, `${data.status} ${data.text.slice(0, 200)}`)
      assert.equal(answers(await app.auth('/signup', { method: 'POST', headers, body }), 400).json.code, 400)
    }
  })

  test('trees of filters and embeds that go deeper than anybody needs', async () => {
    const tree = `${'and('.repeat(400)}id.gt.0,id.lt.9${')'.repeat(400)}`
    const embeds = `${'parent:parent_id('.repeat(50)}id${')'.repeat(50)}`
    for (const query of [`or=(${tree})`, `select=id,${embeds}`]) {
      const reply = await app.rest(`/categories?${query}`)
      assert.ok(reply.status < 500, `${reply.status} ${reply.text.slice(0, 200)}`)
    }
  })

  test('characters that are none', async () => {
    for (const query of ['name=eq.%00', 'select=%00', 'order=na%00me', 'name=eq.%ff%fe', 'name=eq.%', '%ff=eq.1']) {
      const reply = await app.askPath(`/rest/v1/artists?${query}`)
      assert.ok(reply.status < 500, `${query}: ${reply.status} ${reply.text.slice(0, 200)}`)
    }
    answers(await app.askPath('/rest/v1/artists?name=eq.%00'), 400)
  })

  test('methods and paths that nobody serves', async () => {
    answers(await app.askPath('/rest/v1/artists', { method: 'PROPFIND' }), 405)
    for (const path of ['/nowhere', '/rest/v2/artists', '/auth/v1/nowhere', '/storage/v1/nowhere']) {
      assert.equal((await app.ask(path)).status, 404, path)
    }
  })
})

describe('after all of this', () => {
  test('everything still works', async () => {
    assert.deepEqual((await state()).rows, [{ sku: 's1', name: 'one' }, { sku: 's2', name: 'two' }])
    assert.equal(ok(await ada.client.from('todos').insert({ title: 'still here' }).select()).length, 1)
    process.kill(app.pid, 0)
  })
})
