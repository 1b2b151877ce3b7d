// Every filter, and how they are put together. Null counts as unknown, as in SQL.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.anon()

/** The ids that a filter keeps, in order. */
async function ids(table, filter) {
  return column(ok(await filter(db.from(table).select('id')).order('id')), 'id')
}

/** The same for a query string of one's own. */
async function rawIds(table, query) {
  const reply = await app.rest(`/${table}?select=id&order=id&${query}`)
  assert.equal(reply.status, 200, reply.text)
  return column(reply.json, 'id')
}

const artists = (filter) => ids('artists', filter)
const albums = (filter) => ids('albums', filter)
const tracks = (filter) => ids('tracks', filter)

describe('comparison', () => {
  test('eq and neq', async () => {
    assert.deepEqual(await artists((q) => q.eq('name', 'Mira Sol')), [3])
    assert.deepEqual(await artists((q) => q.neq('country', 'DE')), [2, 3, 4])
  })

  test('gt, gte, lt, lte on numbers', async () => {
    assert.deepEqual(await artists((q) => q.gt('rating', 8.5)), [3])
    assert.deepEqual(await artists((q) => q.gte('rating', 8.5)), [1, 3])
    assert.deepEqual(await artists((q) => q.lt('rating', 7.2)), [4])
    assert.deepEqual(await artists((q) => q.lte('rating', 7.2)), [2, 4])
  })

  test('dates compare as dates, enums as they were declared', async () => {
    assert.deepEqual(await artists((q) => q.gt('formed', '2000-01-01')), [2, 3])
    assert.deepEqual(await artists((q) => q.gte('formed', '1998-04-12').lt('formed', '2004-09-01')), [1])
    assert.deepEqual(await albums((q) => q.eq('kind', 'live')), [2])
    assert.deepEqual(await albums((q) => q.gt('kind', 'live')), [5, 6])
  })

  test('a number is found however it is written', async () => {
    assert.deepEqual(await rawIds('albums', 'price=eq.12.5'), [1])
    assert.deepEqual(await rawIds('albums', 'price=eq.12.500'), [1])
  })

  test('is: null, true, false', async () => {
    assert.deepEqual(await artists((q) => q.is('rating', null)), [5])
    assert.deepEqual(await artists((q) => q.is('active', true)), [1, 2, 3])
    assert.deepEqual(await tracks((q) => q.is('explicit', false)), [1, 2, 3, 4, 5, 8])
    assert.deepEqual(await tracks((q) => q.is('explicit', null)), [9])
  })

  test('isdistinct takes null for a value', async () => {
    assert.deepEqual(await artists((q) => q.filter('country', 'isdistinct', 'DE')), [2, 3, 4, 5])
  })

  test('in, also with commas, quotes and parentheses in the values', async () => {
    assert.deepEqual(await artists((q) => q.in('id', [1, 3, 99])), [1, 3])
    assert.deepEqual(await albums((q) => q.in('title', ['Steel, Glass & Rain', 'Norr'])), [4, 6])
    assert.deepEqual(await tracks((q) => q.in('title', ['Dawn (live)', 'say "no"'])), [4])
    assert.deepEqual(await artists((q) => q.in('id', [])), [])
  })

  test('filters on one column add up', async () => {
    assert.deepEqual(await artists((q) => q.gt('id', 1).lt('id', 4).neq('id', 2)), [3])
    assert.deepEqual(await artists((q) => q.match({ country: 'GB', active: true })), [2])
  })
})

describe('patterns', () => {
  test('like minds the case, ilike does not', async () => {
    assert.deepEqual(await artists((q) => q.like('name', 'N%')), [1])
    assert.deepEqual(await artists((q) => q.like('name', 'n%')), [])
    assert.deepEqual(await artists((q) => q.ilike('name', 'n%')), [1])
    assert.deepEqual(await artists((q) => q.ilike('name', 'ÖSTRA%')), [4])
  })

  test('a star stands for a percent sign', async () => {
    assert.deepEqual(await rawIds('artists', 'name=like.*Sol'), [3])
    assert.deepEqual(await rawIds('artists', 'name=ilike.*GRAY*'), [2])
  })

  test('one character, and an escaped wildcard', async () => {
    assert.deepEqual(await tracks((q) => q.like('title', 'D__n')), [1])
    assert.deepEqual(await artists((q) => q.like('name', '100\\%%')), [5])
    assert.deepEqual(await artists((q) => q.like('name', '\\%%')), [])
  })

  test('all of several patterns, any of several patterns', async () => {
    assert.deepEqual(await artists((q) => q.likeAllOf('name', ['%a%', '%Q%'])), [1])
    assert.deepEqual(await artists((q) => q.likeAnyOf('name', ['Nova%', '%Sol'])), [1, 3])
    assert.deepEqual(await artists((q) => q.ilikeAllOf('name', ['%A%', '%G%'])), [2])
    assert.deepEqual(await artists((q) => q.ilikeAnyOf('name', ['nova%', '%SOL'])), [1, 3])
  })

  test('any and all with the other comparisons', async () => {
    assert.deepEqual(await rawIds('artists', 'id=eq(any).{1,4}'), [1, 4])
    assert.deepEqual(await rawIds('artists', 'id=gt(all).{1,3}'), [4, 5])
  })

  test('regular expressions', async () => {
    assert.deepEqual(await artists((q) => q.filter('name', 'match', '^(Nova|Mira) ')), [1, 3])
    assert.deepEqual(await artists((q) => q.filter('name', 'match', '^nova')), [])
    assert.deepEqual(await artists((q) => q.filter('name', 'imatch', '^nova')), [1])
  })
})

describe('arrays and documents', () => {
  test('contains, contained by, overlaps', async () => {
    assert.deepEqual(await artists((q) => q.contains('genres', ['jazz'])), [1])
    assert.deepEqual(await artists((q) => q.containedBy('genres', ['folk', 'pop'])), [3, 4, 5])
    assert.deepEqual(await artists((q) => q.overlaps('genres', ['rock', 'folk'])), [2, 3, 4])
  })

  test('a document contains another one', async () => {
    assert.deepEqual(await artists((q) => q.contains('links', { web: 'https://nova.example' })), [1])
    assert.deepEqual(await artists((q) => q.contains('links', { social: { followers: 310 } })), [3])
  })
})

describe('not, or, and', () => {
  test('not with any operator leaves unknown out', async () => {
    assert.deepEqual(await artists((q) => q.not('rating', 'is', null)), [1, 2, 3, 4])
    assert.deepEqual(await artists((q) => q.not('rating', 'gt', 8)), [2, 4])
    assert.deepEqual(await artists((q) => q.not('country', 'in', '(DE,GB)')), [3, 4])
    assert.deepEqual(await artists((q) => q.not('name', 'like', '%a%')), [5])
  })

  test('or', async () => {
    assert.deepEqual(await artists((q) => q.or('rating.gt.9,country.eq.GB')), [2, 3])
    assert.deepEqual(await artists((q) => q.or('rating.is.null,rating.not.gt.7')), [4, 5])
  })

  test('or next to other filters, and twice', async () => {
    assert.deepEqual(await artists((q) => q.or('id.eq.1,id.eq.2').eq('country', 'GB')), [2])
    assert.deepEqual(await artists((q) => q.or('id.eq.1,id.eq.2').or('id.eq.2,id.eq.3')), [2])
  })

  test('nested', async () => {
    const nested = 'and(active.is.true,rating.lt.8),and(active.is.false,or(country.is.null,id.gt.10))'
    assert.deepEqual(await artists((q) => q.or(nested)), [2, 5])
  })

  test('not before a group', async () => {
    assert.deepEqual(await rawIds('artists', 'not.or=(rating.gt.9,country.eq.GB)'), [1, 4])
    assert.deepEqual(await rawIds('artists', 'not.and=(rating.gt.8,active.is.true)'), [2, 4, 5])
    assert.deepEqual(await rawIds('artists', 'and=(id.gt.1,not.or(id.eq.3,id.eq.4))'), [2, 5])
  })

  test('reserved characters in a value, quoted', async () => {
    assert.deepEqual(await albums((q) => q.or('title.eq."Steel, Glass & Rain",title.eq.Norr')), [4, 6])
    assert.deepEqual(await tracks((q) => q.or('title.eq."Dawn (live)",id.eq.1')), [1, 4])
    assert.deepEqual(await tracks((q) => q.or('title.in.("Dawn (live)",Kerb),number.eq.3')), [3, 4, 6])
  })
})
