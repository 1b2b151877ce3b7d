// Reading: columns, renames, casts, JSON paths, order, ranges, counts, single rows.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.anon()

describe('columns', () => {
  test('all of them, in the order of the table', async () => {
    const [row] = ok(await db.from('artists').select().eq('id', 1), 200)
    assert.deepEqual(Object.keys(row), [
      'id', 'name', 'country', 'formed', 'active', 'genres', 'links', 'rating', 'created_at',
    ])
    assert.match(row.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00$/)
    const { created_at: _, ...rest } = row
    assert.deepEqual(rest, {
      id: 1,
      name: 'Nova Quartet',
      country: 'DE',
      formed: '1998-04-12',
      active: true,
      genres: ['jazz', 'fusion'],
      links: { web: 'https://nova.example', social: { followers: 1200, handles: ['@nova', '@quartet'] } },
      rating: 8.5,
    })
  })

  test('only those asked for, in the order asked for', async () => {
    const [row] = ok(await db.from('artists').select('rating, id').eq('id', 2))
    assert.deepEqual(Object.entries(row), [['rating', 7.2], ['id', 2]])
  })

  test('renamed', async () => {
    const rows = ok(await db.from('artists').select('artist:name, since:formed').eq('id', 3))
    assert.deepEqual(rows, [{ artist: 'Mira Sol', since: '2015-01-30' }])
  })

  test('cast, and cast under another name', async () => {
    const rows = ok(await db.from('artists').select('id::text, rating::text, year:formed::text').eq('id', 1))
    assert.deepEqual(rows, [{ id: '1', rating: '8.5', year: '1998-04-12' }])
  })

  test('a column named twice under two names', async () => {
    const rows = ok(await db.from('artists').select('id, same:id').eq('id', 4))
    assert.deepEqual(rows, [{ id: 4, same: 4 }])
  })

  test('null stays null, an empty list stays an empty list', async () => {
    const rows = ok(await db.from('artists').select('country, formed, rating, genres, links').eq('id', 5))
    assert.deepEqual(rows, [{ country: null, formed: null, rating: null, genres: [], links: {} }])
  })
})

describe('JSON paths', () => {
  test('an arrow keeps JSON, two make text', async () => {
    const rows = ok(
      await db
        .from('artists')
        .select('links->social->followers, text:links->social->>followers, links->>web')
        .eq('id', 1)
    )
    assert.deepEqual(rows, [{ followers: 1200, text: '1200', web: 'https://nova.example' }])
  })

  test('into an array, by index', async () => {
    const rows = ok(await db.from('artists').select('handle:links->social->handles->>1').eq('id', 1))
    assert.deepEqual(rows, [{ handle: '@quartet' }])
  })

  test('what is not there is null', async () => {
    const rows = ok(await db.from('artists').select('id, deep:links->no->such->>thing').in('id', [1, 5]).order('id'))
    assert.deepEqual(rows, [{ id: 1, deep: null }, { id: 5, deep: null }])
  })

  test('cast after the path', async () => {
    const rows = ok(await db.from('artists').select('n:links->social->>followers::int').eq('id', 2))
    assert.deepEqual(rows, [{ n: 54000 }])
  })

  test('a filter on a path', async () => {
    const rows = ok(await db.from('artists').select('id').eq('links->social->>followers', '310'))
    assert.deepEqual(rows, [{ id: 3 }])
  })

  test('numbers in JSON are compared and ordered as numbers', async () => {
    const above = ok(await db.from('artists').select('id').gt('links->social->followers', 1000).order('id'))
    assert.deepEqual(column(above, 'id'), [1, 2])
    const ordered = ok(
      await db
        .from('artists')
        .select('id')
        .not('links->social', 'is', null)
        .order('links->social->followers', { ascending: true })
    )
    assert.deepEqual(column(ordered, 'id'), [3, 1, 2])
  })
})

describe('order', () => {
  const ids = async (query) => column(ok(await query), 'id')

  test('ascending puts null last, descending first', async () => {
    assert.deepEqual(await ids(db.from('artists').select('id').order('rating')), [4, 2, 1, 3, 5])
    assert.deepEqual(await ids(db.from('artists').select('id').order('rating', { ascending: false })), [5, 3, 1, 2, 4])
  })

  test('null goes where it is told to', async () => {
    const first = db.from('artists').select('id').order('rating', { ascending: true, nullsFirst: true })
    assert.deepEqual(await ids(first), [5, 4, 2, 1, 3])
    const last = db.from('artists').select('id').order('rating', { ascending: false, nullsFirst: false })
    assert.deepEqual(await ids(last), [3, 1, 2, 4, 5])
  })

  test('by one column, then by the next', async () => {
    const query = db.from('tracks').select('id').order('album_id', { ascending: false }).order('number')
    assert.deepEqual(await ids(query), [9, 8, 6, 7, 4, 5, 1, 2, 3])
  })

  test('an enum orders as it was declared', async () => {
    const rows = ok(await db.from('albums').select('kind').order('kind').order('id'))
    assert.deepEqual(column(rows, 'kind'), ['studio', 'studio', 'studio', 'live', 'single', 'compilation'])
  })
})

describe('limit, range and count', () => {
  test('limit', async () => {
    assert.deepEqual(ok(await db.from('artists').select('id').order('id').limit(2)), [{ id: 1 }, { id: 2 }])
    assert.deepEqual(ok(await db.from('artists').select('id').limit(0)), [])
  })

  test('range counts from 0 and includes both ends', async () => {
    assert.deepEqual(ok(await db.from('artists').select('id').order('id').range(1, 3)), [{ id: 2 }, { id: 3 }, { id: 4 }])
  })

  test('exact count of everything that the filter keeps, 206 when the answer is a part of it', async () => {
    const all = await db.from('tracks').select('id', { count: 'exact' })
    assert.equal(ok(all, 200).length, 9)
    assert.equal(all.count, 9)
    const part = await db.from('tracks').select('id', { count: 'exact' }).eq('album_id', 1).limit(1)
    assert.equal(ok(part, 206).length, 1)
    assert.equal(part.count, 3)
  })

  test('a count without rows', async () => {
    const result = await db.from('tracks').select('*', { count: 'exact', head: true }).is('explicit', true)
    assert.equal(ok(result, 200), null)
    assert.equal(result.count, 2)
  })

  test('an offset behind the end is an error when the end is known', async () => {
    const result = await db.from('tracks').select('id', { count: 'exact' }).range(100, 110)
    fails(result, { code: 'PGRST103', status: 416, message: 'Requested range not satisfiable' })
    assert.deepEqual(ok(await db.from('tracks').select('id').range(100, 110)), [])
  })
})

describe('one row', () => {
  test('single', async () => {
    assert.deepEqual(ok(await db.from('artists').select('name').eq('id', 2).single(), 200), { name: 'The Gray Area' })
  })

  test('single refuses none and many', async () => {
    const none = await db.from('artists').select('name').eq('id', 999).single()
    const message = 'Cannot coerce the result to a single JSON object'
    fails(none, { code: 'PGRST116', status: 406, message, details: 'The result contains 0 rows' })
    const many = await db.from('artists').select('name').single()
    fails(many, { code: 'PGRST116', status: 406, message, details: 'The result contains 5 rows' })
  })

  test('maybeSingle takes none for null, and refuses many', async () => {
    assert.deepEqual(ok(await db.from('artists').select('id').eq('id', 1).maybeSingle()), { id: 1 })
    assert.equal(ok(await db.from('artists').select('id').eq('id', 999).maybeSingle()), null)
    fails(await db.from('artists').select('id').maybeSingle(), { code: 'PGRST116' })
  })
})
