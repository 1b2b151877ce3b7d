// Every type: what goes in comes back, neither rounded nor reformatted by the backend.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok, refuses } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const db = app.service()

/** Writes one row of samples and reads it again in a second request. */
async function roundTrip(values) {
  const { id } = ok(await db.from('samples').insert(values).select('id').single(), 201)
  const columns = Object.keys(values).join()
  return ok(await db.from('samples').select(columns).eq('id', id).single())
}

/** The text of the answer: `JSON.parse` would hide what happened to a number. */
async function roundTripText(columnName, json) {
  const inserted = answers(
    await app.rest('/samples?select=id', {
      method: 'POST',
      token: app.serviceKey,
      headers: { 'content-type': 'application/json', prefer: 'return=representation' },
      body: `{"${columnName}": ${json}}`,
    }),
    201
  )
  const [{ id }] = inserted.json
  return (await app.rest(`/samples?select=${columnName}&id=eq.${id}`, { token: app.serviceKey })).text
}

describe('numbers', () => {
  test('integers at their ends', async () => {
    const values = { small: -32768, whole: 2147483647, big: Number.MIN_SAFE_INTEGER }
    assert.deepEqual(await roundTrip(values), values)
  })

  test('integers beyond what a double holds', async () => {
    assert.equal(await roundTripText('big', '9223372036854775807'), '[{"big":9223372036854775807}]')
    assert.equal(await roundTripText('big', '-9007199254740993'), '[{"big":-9007199254740993}]')
  })

  test('decimals keep every digit', async () => {
    const digits = '12345678901234567890.123456789012345'
    assert.equal(await roundTripText('amount', digits), `[{"amount":${digits}}]`)
    assert.equal(await roundTripText('amount', '"0.10"'), '[{"amount":0.10}]')
  })

  test('decimals take the scale of their column', async () => {
    assert.equal(await roundTripText('fixed', '1.5'), '[{"fixed":1.5000}]')
    assert.equal(await roundTripText('fixed', '2.00006'), '[{"fixed":2.0001}]')
  })

  test('floating point', async () => {
    const values = { approximate: 1.5, exact: 0.1 }
    assert.deepEqual(await roundTrip(values), values)
    assert.deepEqual(await roundTrip({ exact: 1e300 }), { exact: 1e300 })
  })

  test('too big for the column', async () => {
    fails(await db.from('samples').insert({ small: 40000 }), { code: '22003', status: 400 })
    fails(await db.from('samples').insert({ fixed: 123456789 }), { code: '22003', status: 400 })
  })

  test('a number may be sent as text', async () => {
    assert.deepEqual(await roundTrip({ whole: '42' }), { whole: 42 })
  })
})

describe('text and bytes', () => {
  test('any character, and the difference between empty and null', async () => {
    const words = 'naïve 🎷 \u2028 "quoted" \\ back\nline \u0001'
    assert.deepEqual(await roundTrip({ words }), { words })
    assert.deepEqual(await roundTrip({ words: '', short: null }), { words: '', short: null })
  })

  test('unicode is not normalised', async () => {
    const words = 'e\u0301 \u00e9'
    assert.equal((await roundTrip({ words })).words, words)
  })

  test('a NUL character is refused, not cut', async () => {
    fails(await db.from('samples').insert({ words: 'a\u0000b' }), { code: '22P05', status: 400 })
  })

  test('length limits count characters', async () => {
    assert.deepEqual(await roundTrip({ short: '🎷'.repeat(10) }), { short: '🎷'.repeat(10) })
    fails(await db.from('samples').insert({ short: 'x'.repeat(11) }), {
      code: '22001',
      status: 400,
      message: 'value too long for type character varying(10)',
    })
  })

  test('bytes as hex', async () => {
    assert.deepEqual(await roundTrip({ raw: '\\x00ff10deadbeef' }), { raw: '\\x00ff10deadbeef' })
    assert.deepEqual(await roundTrip({ raw: '\\x' }), { raw: '\\x' })
  })
})

describe('dates and times', () => {
  test('date, time, timestamp', async () => {
    const values = { born: '2024-02-29', clock: '23:59:58.5', wall: '2024-02-29T12:34:56.123456' }
    assert.deepEqual(await roundTrip(values), values)
  })

  test('an instant comes back in UTC, to the microsecond, without trailing zeros', async () => {
    const at = async (instant) => (await roundTrip({ instant })).instant
    assert.equal(await at('2024-02-29T12:34:56.123456+02:00'), '2024-02-29T10:34:56.123456+00:00')
    assert.equal(await at('2024-02-29T10:34:56.120Z'), '2024-02-29T10:34:56.12+00:00')
    assert.equal(await at('2024-12-31 23:30:00-01'), '2025-01-01T00:30:00+00:00')
  })

  test('instants compare as instants, whatever zone they were written in', async () => {
    const { id } = ok(await db.from('samples').insert({ instant: '2030-06-01T12:00:00+05:00' }).select('id').single())
    const found = (filter) => filter(db.from('samples').select('id').eq('id', id))
    assert.equal(ok(await found((q) => q.eq('instant', '2030-06-01T07:00:00Z'))).length, 1)
    assert.equal(ok(await found((q) => q.lt('instant', '2030-06-01T08:00:00+00:00'))).length, 1)
    assert.equal(ok(await found((q) => q.lt('instant', '2030-06-01T06:59:59.999999Z'))).length, 0)
  })

  test('an interval', async () => {
    assert.deepEqual(await roundTrip({ span: '1 day 02:03:04' }), { span: '1 day 02:03:04' })
  })

  test('no such day', async () => {
    fails(await db.from('samples').insert({ born: '2024-02-30' }), { code: '22008', status: 400 })
    fails(await db.from('samples').insert({ born: 'soon' }), { code: '22007', status: 400 })
  })
})

describe('uuid, boolean, enum', () => {
  test('a uuid comes back in small letters', async () => {
    const row = await roundTrip({ ref: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' })
    assert.equal(row.ref, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')
    fails(await db.from('samples').insert({ ref: 'no-uuid' }), {
      code: '22P02',
      status: 400,
      message: 'invalid input syntax for type uuid: "no-uuid"',
    })
  })

  test('booleans', async () => {
    assert.deepEqual(await roundTrip({ flag: true }), { flag: true })
    assert.deepEqual(await roundTrip({ flag: false }), { flag: false })
    fails(await db.from('samples').insert({ flag: 'maybe' }), { code: '22P02', status: 400 })
  })

  test('an enum takes its labels and nothing else', async () => {
    assert.deepEqual(await roundTrip({ feeling: 'happy' }), { feeling: 'happy' })
    fails(await db.from('samples').insert({ feeling: 'hungry' }), {
      code: '22P02',
      status: 400,
      message: 'invalid input value for enum mood: "hungry"',
    })
  })
})

describe('documents and arrays', () => {
  const document = { a: [1, 'two', null, { b: false }], 'key with "quotes"': '', n: 0.5 }

  test('jsonb and json', async () => {
    assert.deepEqual(await roundTrip({ docb: document, doc: document }), { docb: document, doc: document })
  })

  test('the top of a document may be anything', async () => {
    for (const value of [[], [1, 2], 'text', 7, true]) {
      assert.deepEqual(await roundTrip({ docb: value }), { docb: value })
    }
  })

  test('arrays of text, numbers and uuids', async () => {
    const values = {
      names: ['plain', 'with, comma', 'with "quote"', '{brace}', '', 'NULL'],
      numbers: [1, -2, 2147483647],
      refs: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    }
    assert.deepEqual(await roundTrip(values), values)
    assert.deepEqual(await roundTrip({ names: ['a', null], numbers: [] }), { names: ['a', null], numbers: [] })
  })

  test('an array may be sent as PostgreSQL writes it', async () => {
    assert.deepEqual(await roundTrip({ names: '{one,"two, three"}' }), { names: ['one', 'two, three'] })
  })

  test('the wrong thing in an array', async () => {
    fails(await db.from('samples').insert({ numbers: ['one'] }), { code: '22P02', status: 400 })
  })
})

describe('the same types in filters', () => {
  test('text that is not of the type of the column', async () => {
    const bad = async (query, fields) => refuses(await app.rest(`/${query}`), 400, fields)
    await bad('artists?id=eq.abc', { code: '22P02', message: 'invalid input syntax for type bigint: "abc"' })
    await bad('albums?id=eq.1.5', { code: '22P02', message: 'invalid input syntax for type integer: "1.5"' })
    await bad('artists?active=eq.maybe', { code: '22P02', message: 'invalid input syntax for type boolean: "maybe"' })
    await bad('artists?formed=eq.soon', { code: '22007', message: 'invalid input syntax for type date: "soon"' })
    await bad('albums?kind=eq.opera', { code: '22P02', message: 'invalid input value for enum album_kind: "opera"' })
    await bad('documents?id=eq.1', { code: '22P02', message: 'invalid input syntax for type uuid: "1"' })
  })

  test('uuids and bytes are found by what they are', async () => {
    const ref = '11111111-2222-4333-8444-555555555555'
    ok(await db.from('samples').insert({ ref, raw: '\\xABCD' }))
    assert.deepEqual(column(ok(await db.from('samples').select('ref').eq('ref', ref.toUpperCase())), 'ref'), [ref])
    assert.equal(ok(await db.from('samples').select('id').eq('raw', '\\xabcd')).length, 1)
  })
})
