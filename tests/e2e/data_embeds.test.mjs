// Parents, children and relatives in one answer.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.anon()

describe('one level', () => {
  test('the parent is an object', async () => {
    const rows = ok(await db.from('albums').select('title, artists(name, country)').eq('id', 1))
    assert.deepEqual(rows, [{ title: 'First Light', artists: { name: 'Nova Quartet', country: 'DE' } }])
  })

  test('the children are a list, an empty one when there are none', async () => {
    const rows = ok(
      await db
        .from('albums')
        .select('title, tracks(title)')
        .in('id', [1, 6])
        .order('id')
        .order('number', { referencedTable: 'tracks' })
    )
    assert.deepEqual(rows, [
      { title: 'First Light', tracks: [{ title: 'Dawn' }, { title: 'Noon' }, { title: 'Dusk' }] },
      { title: 'Norr', tracks: [] },
    ])
  })

  test('under another name, and chosen by the foreign key column', async () => {
    const byAlias = ok(await db.from('albums').select('title, by:artists(name)').eq('id', 5))
    assert.deepEqual(byAlias, [{ title: 'Verano', by: { name: 'Mira Sol' } }])
    const byColumn = ok(await db.from('albums').select('title, artist:artist_id(name)').eq('id', 5))
    assert.deepEqual(byColumn, [{ title: 'Verano', artist: { name: 'Mira Sol' } }])
  })

  test('renames, casts and JSON paths work inside as well', async () => {
    const rows = ok(
      await db.from('artists').select('name, albums(label:info->>label, cost:price::text)').eq('id', 3)
    )
    assert.deepEqual(rows, [{ name: 'Mira Sol', albums: [{ label: 'Sol', cost: '1.29' }] }])
  })

  test('everything of the row with the relative at its end', async () => {
    const [row] = ok(await db.from('tracks').select('*, albums(title)').eq('id', 6))
    assert.deepEqual(row, {
      id: 6, album_id: 3, title: 'Kerb', number: 1, seconds: 176, explicit: true, albums: { title: 'Concrete' },
    })
  })
})

describe('further away', () => {
  test('child of a child, and its parent again', async () => {
    const [row] = ok(
      await db
        .from('artists')
        .select('name, albums(title, tracks(title, album:albums(kind)))')
        .eq('id', 3)
    )
    assert.deepEqual(row, {
      name: 'Mira Sol',
      albums: [{ title: 'Verano', tracks: [{ title: 'Verano', album: { kind: 'single' } }] }],
    })
  })

  test('a grandparent', async () => {
    const rows = ok(await db.from('tracks').select('title, albums(title, artists(name))').eq('id', 7))
    assert.deepEqual(rows, [{ title: 'Ring Road', albums: { title: 'Concrete', artists: { name: 'The Gray Area' } } }])
  })

  test('many to many, through the table between', async () => {
    const rows = ok(
      await db.from('albums').select('id, tags(name)').lte('id', 2).order('id').order('id', { referencedTable: 'tags' })
    )
    assert.deepEqual(rows, [
      { id: 1, tags: [{ name: 'instrumental' }, { name: 'evening' }] },
      { id: 2, tags: [{ name: 'instrumental' }] },
    ])
    const back = ok(await db.from('tags').select('name, albums(title)').in('name', ['loud', 'unused']).order('id'))
    assert.equal(back[0].albums.length, 2)
    assert.deepEqual(back[1], { name: 'unused', albums: [] })
  })

  test('a table that refers to itself, both ways', async () => {
    const children = ok(
      await db
        .from('categories')
        .select('name, children:categories!parent_id(name)')
        .eq('id', 1)
        .order('id', { referencedTable: 'children' })
    )
    assert.deepEqual(children, [{ name: 'music', children: [{ name: 'jazz' }, { name: 'rock' }] }])
    const parents = ok(await db.from('categories').select('name, parent:parent_id(name)').in('id', [3, 5]).order('id'))
    assert.deepEqual(parents, [{ name: 'fusion', parent: { name: 'jazz' } }, { name: 'books', parent: null }])
  })
})

describe('which relation is meant', () => {
  test('two foreign keys to one table: named by constraint or by column', async () => {
    const expected = [{ lead: { name: 'Nova Quartet' }, guest: { name: 'Mira Sol' } }]
    const byConstraint =
      'lead:artists!collaborations_lead_fkey(name), guest:artists!collaborations_guest_fkey(name)'
    const byColumn = 'lead:lead_id(name), guest:guest_id(name)'
    const byBoth = 'lead:artists!lead_id(name), guest:artists!guest_id(name)'
    for (const columns of [byConstraint, byColumn, byBoth]) {
      assert.deepEqual(ok(await db.from('collaborations').select(columns).eq('id', 1)), expected, columns)
    }
  })

  test('not said: 300, and what there is to choose from', async () => {
    const error = fails(await db.from('collaborations').select('id, artists(name)'), {
      code: 'PGRST201',
      status: 300,
      message: "Could not embed because more than one relationship was found for 'collaborations' and 'artists'",
    })
    const constraints = column(error.details, 'relationship').join()
    assert.match(constraints, /collaborations_lead_fkey/)
    assert.match(constraints, /collaborations_guest_fkey/)
  })

  test('none at all', async () => {
    fails(await db.from('artists').select('id, countries(name)'), {
      code: 'PGRST200',
      status: 400,
      message: "Could not find a relationship between 'artists' and 'countries' in the schema cache",
    })
  })
})

describe('filters, order and limits of what is embedded', () => {
  test('a filter inside leaves the outer rows', async () => {
    const rows = ok(await db.from('artists').select('id, albums(title)').eq('albums.kind', 'live').order('id'))
    assert.deepEqual(rows, [
      { id: 1, albums: [{ title: 'Live in Bremen' }] },
      { id: 2, albums: [] },
      { id: 3, albums: [] },
      { id: 4, albums: [] },
      { id: 5, albums: [] },
    ])
  })

  test('an inner embed takes the outer rows away', async () => {
    const children = ok(await db.from('albums').select('title, tracks!inner(id)').eq('tracks.explicit', true))
    assert.equal(children.length, 1)
    assert.equal(children[0].title, 'Concrete')
    const parents = ok(
      await db.from('albums').select('title, artists!inner(name)').eq('artists.country', 'ES')
    )
    assert.deepEqual(parents, [{ title: 'Verano', artists: { name: 'Mira Sol' } }])
  })

  test('inner embeds count', async () => {
    const result = await db
      .from('albums')
      .select('id, tracks!inner(id)', { count: 'exact', head: true })
      .gt('tracks.seconds', 240)
    ok(result)
    assert.equal(result.count, 2)
  })

  test('rows that have relatives, rows that have none', async () => {
    const without = ok(await db.from('artists').select('id, albums()').is('albums', null).order('id'))
    assert.deepEqual(without, [{ id: 5 }])
    const withSome = ok(await db.from('artists').select('id, albums()').not('albums', 'is', null).order('id'))
    assert.deepEqual(column(withSome, 'id'), [1, 2, 3, 4])
  })

  test('or inside', async () => {
    const [row] = ok(
      await db
        .from('albums')
        .select('tracks(title)')
        .eq('id', 1)
        .or('seconds.gt.300,title.eq.Dawn', { referencedTable: 'tracks' })
        .order('number', { referencedTable: 'tracks' })
    )
    assert.deepEqual(row, { tracks: [{ title: 'Dawn' }, { title: 'Noon' }] })
  })

  test('order and limit inside, for each outer row', async () => {
    const rows = ok(
      await db
        .from('albums')
        .select('id, tracks(title)')
        .lte('id', 3)
        .order('id')
        .order('number', { referencedTable: 'tracks', ascending: false })
        .limit(1, { referencedTable: 'tracks' })
    )
    assert.deepEqual(rows, [
      { id: 1, tracks: [{ title: 'Dusk' }] },
      { id: 2, tracks: [{ title: 'Encore' }] },
      { id: 3, tracks: [{ title: 'Ring Road' }] },
    ])
  })

  test('outer rows in the order of their parent', async () => {
    const rows = ok(await db.from('albums').select('id, artists(name)').order('artists(formed)').order('id'))
    assert.deepEqual(column(rows, 'id'), [6, 1, 2, 3, 4, 5])
  })

  test('a filter on something that is not embedded', async () => {
    fails(await db.from('artists').select('id').eq('albums.kind', 'live'), {
      code: 'PGRST108',
      status: 400,
      message: "'albums' is not an embedded resource in this request",
    })
  })
})
