// Errors of auth in both formats, as GoTrue writes them.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, refuses } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())

const VERSION = 'x-supabase-api-version'
const wrong = { email: 'nobody@example.com', password: 'wrong password' }

const signIn = (headers = {}) => app.auth('/token?grant_type=password', { method: 'POST', json: wrong, headers })

describe('errors', () => {
  test('as they were, when no version is asked for', async () => {
    const reply = answers(await signIn(), 400)
    assert.deepEqual(reply.json, { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' })
    assert.equal(reply.header('x-sb-error-code'), 'invalid_credentials')
  })

  test('as they are since 2024, and the version is said back', async () => {
    const reply = answers(await signIn({ [VERSION]: '2024-01-01' }), 400)
    assert.deepEqual(reply.json, { code: 'invalid_credentials', message: 'Invalid login credentials' })
    assert.equal(reply.header(VERSION), '2024-01-01')
  })

  test('why a password is weak, in both', async () => {
    const json = { email: 'weak@example.com', password: 'weak' }
    const signUp = (headers) => app.auth('/signup', { method: 'POST', json, headers })
    const message = 'Password should be at least 6 characters.'
    const weak_password = { reasons: ['length'] }
    assert.deepEqual(answers(await signUp({}), 422).json, {
      code: 422,
      error_code: 'weak_password',
      msg: message,
      weak_password,
    })
    assert.deepEqual(answers(await signUp({ [VERSION]: '2024-01-01' }), 422).json, {
      code: 'weak_password',
      message,
      weak_password,
    })
  })

  test('a body that is no JSON', async () => {
    const headers = { 'content-type': 'application/json' }
    refuses(await app.auth('/signup', { method: 'POST', headers, body: '{"email":' }), 400, { error_code: 'bad_json' })
    refuses(await app.auth('/token?grant_type=password', { method: 'POST', headers, body: 'no' }), 400, {
      error_code: 'bad_json',
    })
  })

  test('a grant that there is not', async () => {
    answers(await app.auth('/token?grant_type=magic', { method: 'POST', json: {} }), 400)
  })

  test('a browser may read the version', async () => {
    const reply = await signIn({ [VERSION]: '2024-01-01', origin: 'http://example.com' })
    assert.ok(['*', 'http://example.com'].includes(reply.header('access-control-allow-origin')))
    assert.match(reply.header('access-control-expose-headers').toLowerCase(), /x-supabase-api-version|\*/)
  })
})
