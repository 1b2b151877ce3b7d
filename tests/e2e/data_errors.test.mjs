// What goes wrong, and how it is said: PostgREST's status, code, message and details.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { fails, ok, refuses } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.service()

const post = (path, body, headers = {}) =>
  app.rest(path, {
    method: 'POST',
    token: app.serviceKey,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })

describe('constraints', () => {
  test('unique', async () => {
    ok(await db.from('products').insert({ sku: 'twice', name: 'first' }))
    fails(await db.from('products').insert({ sku: 'twice', name: 'second' }), {
      status: 409,
      code: '23505',
      message: 'duplicate key value violates unique constraint "products_sku_key"',
      details: 'Key (sku)=(twice) already exists.',
      hint: null,
    })
  })

  test('unique over several columns, and the partial index', async () => {
    fails(await db.from('tracks').insert({ album_id: 1, number: 1, title: 'again' }), {
      code: '23505',
      message: 'duplicate key value violates unique constraint "tracks_album_number"',
      details: 'Key (album_id, number)=(1, 1) already exists.',
    })
    fails(await db.from('collaborations').insert({ lead_id: 1, guest_id: 3 }), {
      code: '23505',
      message: 'duplicate key value violates unique constraint "collaborations_one_open"',
    })
    ok(await db.from('collaborations').insert({ lead_id: 1, guest_id: 3, ended: '2018-01-01' }))
  })

  test('foreign key, from either side', async () => {
    fails(await db.from('albums').insert({ artist_id: 999, title: 'of nobody' }), {
      status: 409,
      code: '23503',
      message: 'insert or update on table "albums" violates foreign key constraint "albums_artist_id_fkey"',
      details: 'Key (artist_id)=(999) is not present in table "artists".',
    })
    const { id } = ok(await db.from('products').insert({ sku: 'sold', name: 'sold' }).select().single())
    ok(await db.from('orders').insert({ product_id: id }))
    fails(await db.from('products').delete().eq('id', id), { status: 409, code: '23503' })
  })

  test('check, in the table and added later', async () => {
    fails(await db.from('products').insert({ sku: 'minus', name: 'minus', price: -1 }), {
      status: 400,
      code: '23514',
      message: 'new row for relation "products" violates check constraint "products_price_check"',
    })
    fails(await db.from('products').insert({ sku: 'blank', name: '  ' }), {
      code: '23514',
      message: 'new row for relation "products" violates check constraint "products_name_not_blank"',
    })
    fails(await db.from('collaborations').insert({ lead_id: 2, guest_id: 2 }), { code: '23514' })
  })

  test('not null', async () => {
    fails(await db.from('products').insert({ sku: 'nameless' }), {
      status: 400,
      code: '23502',
      message: 'null value in column "name" of relation "products" violates not-null constraint',
    })
  })

  test('one bad row of many: none of them is there', async () => {
    const rows = [1, -1, 1].map((price, n) => ({ sku: `half-${n}`, name: 'x', price }))
    fails(await db.from('products').insert(rows), { code: '23514' })
    assert.deepEqual(ok(await db.from('products').select('sku').like('sku', 'half-%')), [])
  })

  test('an update that hits a constraint changes nothing', async () => {
    ok(await db.from('products').insert([{ sku: 'keep-1', name: 'a', stock: 1 }, { sku: 'keep-2', name: 'b', stock: 1 }]))
    fails(await db.from('products').update({ sku: 'same', stock: 2 }).like('sku', 'keep-%'), { code: '23505', status: 409 })
    const rows = ok(await db.from('products').select('sku, stock').like('sku', 'keep-%').order('sku'))
    assert.deepEqual(rows, [{ sku: 'keep-1', stock: 1 }, { sku: 'keep-2', stock: 1 }])
  })
})

describe('names that are not there', () => {
  test('a table', async () => {
    const message = "Could not find the table 'public.nothing' in the schema cache"
    fails(await db.from('nothing').select(), { status: 404, code: 'PGRST205', message, details: null })
    fails(await db.from('nothing').insert({ a: 1 }), { status: 404, code: 'PGRST205', message })
  })

  test('a column that is read', async () => {
    const message = 'column artists.nope does not exist'
    fails(await db.from('artists').select('nope'), { status: 400, code: '42703', message })
    fails(await db.from('artists').select('id').eq('nope', 1), { status: 400, code: '42703', message })
    fails(await db.from('artists').select('id').order('nope'), { status: 400, code: '42703', message })
  })

  test('a column that is written', async () => {
    const message = "Could not find the 'nope' column of 'products' in the schema cache"
    fails(await db.from('products').insert({ sku: 'x', name: 'x', nope: 1 }), { status: 400, code: 'PGRST204', message })
    fails(await db.from('products').insert([{ sku: 'x', name: 'x', nope: 1 }]), { status: 400, code: 'PGRST204', message })
    fails(await db.from('products').update({ nope: 1 }).eq('sku', 'x'), { status: 400, code: 'PGRST204', message })
  })

  test('a conflict target that has no unique constraint', async () => {
    const result = await db.from('products').upsert({ sku: 'x', name: 'x' }, { onConflict: 'name' })
    fails(result, { status: 400, code: '42P10' })
  })

  test('a type', async () => {
    fails(await db.from('artists').select('id::nosuchtype'), {
      status: 400,
      code: '42704',
      message: 'type "nosuchtype" does not exist',
    })
  })

  test('a function', async () => {
    fails(await db.rpc('nothing', { a: 1 }), { status: 404, code: 'PGRST202' })
  })

  test('a schema that is not exposed', async () => {
    fails(await db.schema('auth').from('users').select(), { status: 406, code: 'PGRST106', message: 'Invalid schema: auth' })
    fails(await db.schema('storage').from('objects').select(), { status: 406, code: 'PGRST106' })
  })
})

describe('requests that cannot be read', () => {
  test('an operator that does not exist', async () => {
    refuses(await app.rest('/artists?id=foo.1'), 400, { code: 'PGRST100', message: /^"failed to parse filter \(foo\.1\)"/ })
    refuses(await app.rest('/artists?id=1'), 400, { code: 'PGRST100' })
    refuses(await app.rest('/artists?or=(id.foo.1)'), 400, { code: 'PGRST100' })
    refuses(await app.rest('/artists?or=()'), 400, { code: 'PGRST100' })
  })

  test('a select, an order, a limit that cannot be read', async () => {
    refuses(await app.rest('/artists?select=name,albums(title'), 400, { code: 'PGRST100' })
    refuses(await app.rest('/artists?order=id.sideways'), 400, { code: 'PGRST100' })
    refuses(await app.rest('/artists?limit=-1'), 416, {
      code: 'PGRST103',
      details: 'Limit should be greater than or equal to zero.',
    })
  })

  test('JSON that is none', async () => {
    for (const body of ['}{', '{"sku": ', 'sku=1', '']) {
      refuses(await post('/products', body), 400, { code: 'PGRST102', message: 'Empty or invalid json' })
    }
  })

  test('a list of something else than objects with the same keys', async () => {
    const message = 'All object keys must match'
    refuses(await post('/products', '[{"sku": "a", "name": "a"}, 3]'), 400, { code: 'PGRST102', message })
    refuses(await post('/products', '[{"sku": "a", "name": "a"}, {"sku": "b"}]'), 400, { code: 'PGRST102', message })
  })

  test('a wrong type in the body', async () => {
    fails(await db.from('products').insert({ sku: 'x', name: 'x', stock: 'many' }), {
      status: 400,
      code: '22P02',
      message: 'invalid input syntax for type integer: "many"',
    })
  })

  test('a path below a table', async () => {
    refuses(await app.rest('/artists/1'), 404, { code: 'PGRST125', message: 'Invalid path specified in request URL' })
  })

  test('an answer in a format that there is not', async () => {
    refuses(await app.rest('/artists', { headers: { accept: 'text/unknowntype' } }), 406, {
      code: 'PGRST107',
      message: 'None of these media types are available: text/unknowntype',
    })
  })

  test('every error is JSON with four fields', async () => {
    for (const path of ['/nothing', '/artists?id=foo.1', '/artists?select=nope', '/artists?id=eq.abc']) {
      const reply = await app.rest(path)
      assert.match(reply.header('content-type'), /^application\/json/)
      assert.deepEqual(Object.keys(reply.json).sort(), ['code', 'details', 'hint', 'message'])
    }
  })
})
