// What the tests say over and over.

import assert from 'node:assert/strict'

/** The data of a client's result; fails with its error when there is one. */
export function ok(result, status) {
  assert.equal(result.error ?? null, null, `expected success, got ${describe(result.error)}`)
  if (status !== undefined) assert.equal(result.status, status)
  return result.data
}

/** The error of a client's result, checked against what is expected of it. */
export function fails(result, expected = {}) {
  assert.ok(result.error, `expected an error, got ${JSON.stringify(result.data)}`)
  const { status, ...fields } = expected
  for (const [name, value] of Object.entries(fields)) same(result.error[name], value, name, result.error)
  if (status !== undefined) same(result.status ?? result.error.status, status, 'status', result.error)
  return result.error
}

/** A raw reply that is an error: status, and the fields of its JSON body. */
export function refuses(reply, status, fields = {}) {
  assert.equal(reply.status, status, `status ${reply.status}: ${reply.text.slice(0, 500)}`)
  for (const [name, value] of Object.entries(fields)) same(reply.json[name], value, name, reply.json)
  return reply.json
}

/** A raw reply of this status, whatever it says. */
export function answers(reply, status) {
  assert.equal(reply.status, status, `status ${reply.status}: ${reply.text.slice(0, 500)}`)
  return reply
}

/** The same rows whatever their order. */
export function sameRows(actual, expected) {
  const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort()
  assert.deepEqual(sorted(actual), sorted(expected))
}

/** One column of the rows. */
export function column(rows, name) {
  return rows.map((row) => row[name])
}

function same(actual, expected, name, error) {
  const message = `${name} of ${describe(error)}`
  if (expected instanceof RegExp) assert.match(String(actual), expected, message)
  else assert.deepEqual(actual, expected, message)
}

function describe(error) {
  if (!(error instanceof Error)) return JSON.stringify(error)
  return JSON.stringify({ name: error.name, ...error, message: error.message })
}
