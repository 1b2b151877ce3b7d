// Insert, upsert, update, delete, and what comes back.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, fails, ok, sameRows } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.service()

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** A product of its own for a test. */
async function product(sku, values = {}) {
  return ok(await db.from('products').insert({ sku, name: `product ${sku}`, ...values }).select().single(), 201)
}

async function stored(sku) {
  return ok(await db.from('products').select().eq('sku', sku).maybeSingle())
}

describe('insert', () => {
  test('one row without asking for it back', async () => {
    const result = await db.from('products').insert({ sku: 'in-1', name: 'one' })
    assert.equal(ok(result, 201), null)
    assert.equal((await stored('in-1')).name, 'one')
  })

  test('one row comes back with its defaults', async () => {
    const before = Date.now()
    const row = ok(await db.from('products').insert({ sku: 'in-2', name: 'two' }).select().single(), 201)
    assert.equal(typeof row.id, 'number')
    const { id: _, created_at: created, ...rest } = row
    assert.deepEqual(rest, {
      sku: 'in-2', name: 'two', price: 0, stock: 0, attrs: {}, tags: [], discontinued: false, updated_at: null,
    })
    assert.ok(Math.abs(Date.parse(created) - before) < 600_000, created)
  })

  test('uuid, serial, date and text defaults', async () => {
    const { id } = await product('in-3')
    const rows = ok(await db.from('orders').insert([{ product_id: id }, { product_id: id }]).select())
    for (const row of rows) {
      assert.match(row.id, UUID)
      assert.deepEqual([row.status, row.note, row.quantity], ['new', 'none', 1])
      assert.match(row.placed_on, /^\d{4}-\d\d-\d\d$/)
    }
    assert.notEqual(rows[0].id, rows[1].id)
    assert.equal(rows[1].number, rows[0].number + 1)
  })

  test('many rows, in the order given', async () => {
    const skus = ['in-c', 'in-a', 'in-b']
    const rows = ok(await db.from('products').insert(skus.map((sku) => ({ sku, name: sku }))).select('sku'), 201)
    assert.deepEqual(column(rows, 'sku'), skus)
  })

  test('rows with different keys: what is missing is null, or the default when asked for', async () => {
    const rows = [{ sku: 'in-4', name: 'four', updated_at: '2024-01-01T00:00:00Z' }, { sku: 'in-5', name: 'five' }]
    const nulls = ok(await db.from('products').insert(rows).select('sku, updated_at'))
    assert.deepEqual(nulls, [
      { sku: 'in-4', updated_at: '2024-01-01T00:00:00+00:00' },
      { sku: 'in-5', updated_at: null },
    ])
    const mixed = [{ sku: 'in-6', name: 'six', stock: 4 }, { sku: 'in-7', name: 'seven' }]
    fails(await db.from('products').insert(mixed), { code: '23502', status: 400 })
    const defaults = ok(await db.from('products').insert(mixed, { defaultToNull: false }).select('sku, stock'), 201)
    assert.deepEqual(defaults, [{ sku: 'in-6', stock: 4 }, { sku: 'in-7', stock: 0 }])
  })

  test('the identity that the database keeps for itself cannot be given', async () => {
    fails(await db.from('artists').insert({ id: 900, name: 'own number' }), { code: '428C9', status: 400 })
    const row = ok(await db.from('categories').insert({ id: 900, name: 'own number' }).select().single(), 201)
    assert.equal(row.id, 900)
  })

  test('a count of what was inserted', async () => {
    const rows = [{ sku: 'in-8', name: 'x' }, { sku: 'in-9', name: 'y' }]
    const result = await db.from('products').insert(rows, { count: 'exact' })
    ok(result, 201)
    assert.equal(result.count, 2)
  })

  test('the answer shows relatives too', async () => {
    const { id } = await product('in-10')
    const order = ok(await db.from('orders').insert({ product_id: id }).select('quantity, products(sku)').single())
    assert.deepEqual(order, { quantity: 1, products: { sku: 'in-10' } })
  })
})

describe('upsert', () => {
  test('on the primary key', async () => {
    const { id } = await product('up-1', { stock: 3 })
    const row = ok(await db.from('products').upsert({ id, sku: 'up-1', name: 'renamed' }).select('id, name, stock').single(), 200)
    assert.deepEqual(row, { id, name: 'renamed', stock: 3 })
  })

  test('on another unique column; new rows are inserted in the same go', async () => {
    await product('up-2', { stock: 1 })
    const rows = ok(
      await db
        .from('products')
        .upsert([{ sku: 'up-2', name: 'old one', stock: 10 }, { sku: 'up-3', name: 'new one', stock: 20 }], { onConflict: 'sku' })
        .select('sku, name, stock'),
      201
    )
    assert.deepEqual(rows, [
      { sku: 'up-2', name: 'old one', stock: 10 },
      { sku: 'up-3', name: 'new one', stock: 20 },
    ])
  })

  test('leaves what is there alone when told to', async () => {
    await product('up-4', { stock: 7 })
    const rows = ok(
      await db
        .from('products')
        .upsert([{ sku: 'up-4', name: 'ignored' }, { sku: 'up-5', name: 'taken' }], { onConflict: 'sku', ignoreDuplicates: true })
        .select('sku'),
      201
    )
    assert.deepEqual(rows, [{ sku: 'up-5' }])
    assert.equal((await stored('up-4')).name, 'product up-4')
  })

  test('on a primary key of two columns', async () => {
    const { id } = await product('up-6')
    const shelf = (quantity) => ({ product_id: id, warehouse: 'north', quantity })
    assert.equal(ok(await db.from('inventory').upsert(shelf(5))), null)
    assert.equal(ok(await db.from('inventory').upsert(shelf(9))), null)
    assert.deepEqual(ok(await db.from('inventory').select('quantity').eq('product_id', id)), [{ quantity: 9 }])
  })
})

describe('update', () => {
  test('the rows that the filter keeps, and no others', async () => {
    await product('ud-1', { stock: 1 })
    await product('ud-2', { stock: 1 })
    const result = await db.from('products').update({ stock: 5, attrs: { color: 'red' } }).eq('sku', 'ud-1')
    assert.equal(ok(result, 204), null)
    assert.deepEqual([(await stored('ud-1')).stock, (await stored('ud-1')).attrs], [5, { color: 'red' }])
    assert.equal((await stored('ud-2')).stock, 1)
  })

  test('comes back changed', async () => {
    await product('ud-3')
    const rows = ok(await db.from('products').update({ price: 12.34, tags: ['new', 'hot'] }).eq('sku', 'ud-3').select('price, tags'), 200)
    assert.deepEqual(rows, [{ price: 12.34, tags: ['new', 'hot'] }])
  })

  test('nothing to change is no error', async () => {
    assert.equal(ok(await db.from('products').update({ stock: 1 }).eq('sku', 'nobody'), 204), null)
    assert.deepEqual(ok(await db.from('products').update({ stock: 1 }).eq('sku', 'nobody').select(), 200), [])
  })

  test('to null', async () => {
    await product('ud-4', { updated_at: '2024-05-05T05:05:05Z' })
    const row = ok(await db.from('products').update({ updated_at: null }).eq('sku', 'ud-4').select('updated_at').single())
    assert.equal(row.updated_at, null)
  })

  test('one row was asked for and two would change: refused, and nothing changed', async () => {
    await product('ud-5', { stock: 1 })
    await product('ud-6', { stock: 1 })
    const result = await db.from('products').update({ stock: 2 }).in('sku', ['ud-5', 'ud-6']).select().single()
    fails(result, { code: 'PGRST116', status: 406 })
    assert.deepEqual([(await stored('ud-5')).stock, (await stored('ud-6')).stock], [1, 1])
  })

  test('a count of what changed', async () => {
    await product('ud-7')
    const result = await db.from('products').update({ stock: 2 }, { count: 'exact' }).eq('sku', 'ud-7')
    ok(result, 204)
    assert.equal(result.count, 1)
  })
})

describe('delete', () => {
  test('is gone', async () => {
    await product('de-1')
    assert.equal(ok(await db.from('products').delete().eq('sku', 'de-1'), 204), null)
    assert.equal(await stored('de-1'), null)
  })

  test('comes back one last time', async () => {
    await product('de-2')
    await product('de-3')
    const rows = ok(await db.from('products').delete().in('sku', ['de-2', 'de-3']).select('sku'), 200)
    sameRows(rows, [{ sku: 'de-2' }, { sku: 'de-3' }])
  })

  test('nothing to delete is no error', async () => {
    assert.deepEqual(ok(await db.from('products').delete().eq('sku', 'nobody').select(), 200), [])
  })

  test('takes along what hangs on it', async () => {
    const { id } = await product('de-4')
    ok(await db.from('inventory').insert({ product_id: id, warehouse: 'south', quantity: 1 }))
    ok(await db.from('products').delete().eq('id', id))
    assert.deepEqual(ok(await db.from('inventory').select().eq('product_id', id)), [])
    const parent = ok(await db.from('categories').insert({ name: 'shelf' }).select().single())
    const child = ok(await db.from('categories').insert({ name: 'board', parent_id: parent.id }).select().single())
    ok(await db.from('categories').delete().eq('id', parent.id))
    assert.deepEqual(ok(await db.from('categories').select('parent_id').eq('id', child.id).single()), { parent_id: null })
  })
})
