// The HTTP of it: headers, preferences, formats, and what a browser needs.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, ok, refuses } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())

const JSON_TYPE = 'application/json; charset=utf-8'

/** A request of the service role with preferences. */
function send(method, path, { prefer, json, headers = {}, body } = {}) {
  return app.rest(path, { method, token: app.serviceKey, json, body, headers: { ...(prefer && { prefer }), ...headers } })
}

/** Products of its own for a test, by their article numbers. */
async function create(...skus) {
  const json = skus.map((sku) => ({ sku, name: sku }))
  return answers(await send('POST', '/products?select=id', { prefer: 'return=representation', json }), 201).json
}

const applied = (reply) => (reply.header('preference-applied') ?? '').split(', ')

describe('ranges', () => {
  test('content-range says which rows these are', async () => {
    assert.equal((await app.rest('/tracks?order=id')).header('content-range'), '0-8/*')
    assert.equal((await app.rest('/tracks?order=id&limit=3&offset=2')).header('content-range'), '2-4/*')
    assert.equal((await app.rest('/tracks?id=eq.0')).header('content-range'), '*/*')
  })

  test('and of how many, when asked', async () => {
    const prefer = { prefer: 'count=exact' }
    const all = answers(await app.rest('/tracks', { headers: prefer }), 200)
    assert.equal(all.header('content-range'), '0-8/9')
    const part = answers(await app.rest('/tracks?limit=2', { headers: prefer }), 206)
    assert.equal(part.header('content-range'), '0-1/9')
    const none = answers(await app.rest('/tracks?id=eq.0', { headers: prefer }), 200)
    assert.equal(none.header('content-range'), '*/0')
    const behind = await app.rest('/tracks?offset=50', { headers: prefer })
    refuses(behind, 416, { code: 'PGRST103', details: 'An offset of 50 was requested, but there are only 9 rows.' })
    assert.equal(behind.header('content-range'), '*/9')
  })

  test('the range header', async () => {
    const reply = answers(await app.rest('/tracks?order=id', { headers: { range: '2-3', 'range-unit': 'items' } }), 200)
    assert.equal(reply.header('content-range'), '2-3/*')
    assert.deepEqual(reply.json.map((row) => row.id), [3, 4])
    refuses(await app.rest('/tracks', { headers: { range: '3-2', 'range-unit': 'items' } }), 416, { code: 'PGRST103' })
  })

  test('no more rows than max_rows, whatever is asked for', async () => {
    const [{ id }] = await create('wide')
    const shelves = Array.from({ length: 1001 }, (_, n) => ({ product_id: id, warehouse: `w${n}`, quantity: n }))
    answers(await send('POST', '/inventory', { json: shelves }), 201)
    const all = answers(await send('GET', `/inventory?product_id=eq.${id}&limit=5000`, { prefer: 'count=exact' }), 206)
    assert.equal(all.json.length, 1000)
    assert.equal(all.header('content-range'), '0-999/1001')
  })

  test('a HEAD has the headers and no body', async () => {
    const reply = answers(await app.rest('/tracks?limit=2&offset=1', { method: 'HEAD' }), 200)
    assert.equal(reply.header('content-range'), '1-2/*')
    assert.equal(reply.header('content-type'), JSON_TYPE)
    assert.equal(reply.text, '')
  })
})

describe('addresses', () => {
  test('as curl sends them', async () => {
    const path = '/rest/v1/artists?select=id&name=not.in.("a,b","x<y>")&limit=1&id=eq.1'
    const [first, second] = [await app.askPath(path), await app.askPath(path)]
    assert.deepEqual([answers(first, 200).json, answers(second, 200).json], [[{ id: 1 }], [{ id: 1 }]])
  })
})

describe('preferences', () => {
  test('return=minimal, headers-only, representation', async () => {
    const minimal = answers(await send('POST', '/products', { prefer: 'return=minimal', json: { sku: 'w1', name: 'w' } }), 201)
    assert.equal(minimal.text, '')
    assert.deepEqual(applied(minimal), ['return=minimal'])
    const headers = answers(await send('POST', '/products', { prefer: 'return=headers-only', json: { sku: 'w2', name: 'w' } }), 201)
    assert.equal(headers.text, '')
    assert.match(headers.header('location'), /\/products\?id=eq\.\d+$/)
    const changed = answers(await send('PATCH', '/products?sku=eq.w2', { prefer: 'return=headers-only', json: { name: 'v' } }), 204)
    assert.equal(changed.header('location'), null)
    const full = answers(
      await send('POST', '/products?select=sku', { prefer: 'return=representation', json: { sku: 'w3', name: 'w' } }),
      201
    )
    assert.deepEqual(full.json, [{ sku: 'w3' }])
    assert.equal(full.header('content-type'), JSON_TYPE)
  })

  test('several preferences at once', async () => {
    await create('sp-1')
    const reply = answers(
      await send('PATCH', '/products?sku=eq.sp-1&select=stock', {
        prefer: 'return=representation, count=exact',
        json: { stock: 3 },
      }),
      200
    )
    assert.deepEqual(reply.json, [{ stock: 3 }])
    assert.deepEqual(applied(reply).sort(), ['count=exact', 'return=representation'])
    assert.equal(reply.header('content-range'), '0-0/1')
  })

  test('how many rows were written', async () => {
    await create('hm-1', 'hm-2', 'hm-3')
    const update = answers(await send('PATCH', '/products?sku=like.hm-*', { json: { stock: 1 } }), 204)
    assert.equal(update.header('content-range'), '0-2/*')
    const none = answers(await send('PATCH', '/products?sku=eq.nobody', { json: { stock: 1 } }), 204)
    assert.equal(none.header('content-range'), '*/*')
    const gone = answers(
      await send('DELETE', '/products?sku=eq.hm-1&select=sku', { prefer: 'return=representation, count=exact' }),
      200
    )
    assert.deepEqual(gone.json, [{ sku: 'hm-1' }])
    assert.equal(gone.header('content-range'), '*/1')
  })

  test('max-affected undoes what goes too far', async () => {
    await create('ma-1', 'ma-2', 'ma-3')
    refuses(await send('DELETE', '/products?sku=like.ma-*', { prefer: 'handling=strict, max-affected=2' }), 400, {
      code: 'PGRST124',
      message: 'Query result exceeds max-affected preference constraint',
      details: 'The query affects 3 rows',
    })
    answers(await send('DELETE', '/products?sku=like.ma-*', { prefer: 'handling=strict, max-affected=3' }), 204)
  })

  test('strict handling refuses what it does not know', async () => {
    refuses(await app.rest('/artists', { headers: { prefer: 'handling=strict, nonsense' } }), 400, {
      code: 'PGRST122',
      details: 'Invalid preferences: nonsense',
    })
    answers(await app.rest('/artists', { headers: { prefer: 'nonsense' } }), 200)
  })

  test('missing=default, with the columns named', async () => {
    const reply = await send('POST', '/products?columns=sku,name,stock&select=sku,stock', {
      prefer: 'missing=default, return=representation',
      json: [{ sku: 'md-1', name: 'x' }, { sku: 'md-2', name: 'x', stock: 8 }],
    })
    assert.deepEqual(answers(reply, 201).json, [{ sku: 'md-1', stock: 0 }, { sku: 'md-2', stock: 8 }])
  })

  test('columns leaves the other keys out', async () => {
    const reply = await send('POST', '/products?columns=sku,name&select=sku,stock', {
      prefer: 'return=representation',
      json: [{ sku: 'co-1', name: 'x', stock: 99, junk: true }],
    })
    assert.deepEqual(answers(reply, 201).json, [{ sku: 'co-1', stock: 0 }])
  })
})

describe('put', () => {
  test('one row by its whole primary key, new or not', async () => {
    const [{ id }] = await create('put')
    const put = (quantity) =>
      send('PUT', `/inventory?product_id=eq.${id}&warehouse=eq.east&select=quantity`, {
        prefer: 'return=representation',
        json: { product_id: id, warehouse: 'east', quantity, counted_at: '2024-01-01T00:00:00Z' },
      })
    assert.deepEqual(answers(await put(1), 201).json, [{ quantity: 1 }])
    assert.deepEqual(answers(await put(2), 200).json, [{ quantity: 2 }])
  })

  test('anything else than the primary key is refused', async () => {
    const json = { product_id: 1, warehouse: 'east', quantity: 1, counted_at: '2024-01-01T00:00:00Z' }
    refuses(await send('PUT', '/inventory?warehouse=eq.east', { json }), 405, { code: 'PGRST105' })
    refuses(await send('PUT', '/inventory?product_id=eq.2&warehouse=eq.east', { json }), 400, { code: 'PGRST115' })
  })
})

describe('formats', () => {
  test('one object', async () => {
    const accept = 'application/vnd.pgrst.object+json'
    const reply = answers(await app.rest('/artists?id=eq.1&select=name', { headers: { accept } }), 200)
    assert.equal(reply.header('content-type'), `${accept}; charset=utf-8`)
    assert.equal(reply.text, '{"name":"Nova Quartet"}')
  })

  test('without nulls', async () => {
    const accept = 'application/vnd.pgrst.array+json;nulls=stripped'
    const reply = answers(await app.rest('/artists?id=eq.5&select=id,country,rating', { headers: { accept } }), 200)
    assert.deepEqual(reply.json, [{ id: 5 }])
  })

  test('CSV out', async () => {
    const reply = answers(await app.rest('/tags?order=id', { headers: { accept: 'text/csv' } }), 200)
    assert.equal(reply.header('content-type'), 'text/csv; charset=utf-8')
    assert.equal(reply.text, 'id,name\n1,instrumental\n2,evening\n3,loud\n4,unused')
    const quoted = await app.rest('/albums?id=eq.4&select=id,title,released,info', { headers: { accept: 'text/csv' } })
    assert.equal(quoted.text, 'id,title,released,info\n4,"Steel, Glass & Rain",2009-10-02,')
    assert.equal(ok(await app.anon().from('tags').select('name').eq('id', 3).csv()), 'name\nloud')
  })

  test('CSV in', async () => {
    const reply = await send('POST', '/products?select=sku,name,stock,updated_at', {
      prefer: 'return=representation',
      headers: { 'content-type': 'text/csv' },
      body: 'sku,name,stock,updated_at\ncsv-1,"with, comma",5,NULL\ncsv-2,"say ""hi""",6,2024-01-01T00:00:00Z\n',
    })
    assert.deepEqual(answers(reply, 201).json, [
      { sku: 'csv-1', name: 'with, comma', stock: 5, updated_at: null },
      { sku: 'csv-2', name: 'say "hi"', stock: 6, updated_at: '2024-01-01T00:00:00+00:00' },
    ])
  })
})

describe('keys and browsers', () => {
  test('no key at all is anon', async () => {
    assert.equal(answers(await app.rest('/artists', { token: null }), 200).json.length, 5)
  })

  test('the key may come as apikey alone', async () => {
    const reply = await app.rest('/secrets', { token: null, headers: { apikey: app.serviceKey } })
    assert.deepEqual(answers(reply, 200).json.map((row) => row.secret), ['the vault code'])
  })

  test('a preflight allows what the client sends, and the answer shows its range', async () => {
    const asked = ['apikey', 'authorization', 'content-type', 'prefer', 'x-client-info']
    const preflight = await app.rest('/artists', {
      method: 'OPTIONS',
      token: null,
      headers: {
        origin: 'http://example.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked.join(),
      },
    })
    assert.ok(preflight.status === 200 || preflight.status === 204, String(preflight.status))
    assert.ok(['*', 'http://example.com'].includes(preflight.header('access-control-allow-origin')))
    const allowed = preflight.header('access-control-allow-headers').toLowerCase().split(/,\s*/)
    for (const name of asked) assert.ok(allowed.includes(name), `${name} in ${allowed}`)
    assert.match(preflight.header('access-control-allow-methods'), /PATCH/)

    const simple = await app.rest('/artists?limit=1', { headers: { origin: 'http://example.com' } })
    assert.ok(['*', 'http://example.com'].includes(simple.header('access-control-allow-origin')))
    assert.match(simple.header('access-control-expose-headers').toLowerCase(), /content-range/)
  })
})
