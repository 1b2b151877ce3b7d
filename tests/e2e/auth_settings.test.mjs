// What supabase/config.toml says of auth holds: other values than everywhere else in these tests.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, fails, ok, refuses } from './support/expect.mjs'
import { decode } from './support/jwt.mjs'

const app = await startApp({
  config: {
    'auth.jwt_expiry': 120,
    'auth.enable_signup': false,
    'auth.minimum_password_length': 10,
    'auth.refresh_token_reuse_interval': 0,
  },
})
after(() => app.stop())

const refresh = (token) =>
  app.auth('/token?grant_type=refresh_token', { method: 'POST', json: { refresh_token: token } })

describe('settings', () => {
  test('nobody signs up by himself', async () => {
    fails(await app.anon().auth.signUp({ email: 'a@example.com', password: 'long enough, really' }), {
      status: 422,
      code: 'signup_disabled',
      message: 'Signups not allowed for this instance',
    })
    assert.equal((await app.auth('/settings')).json.disable_signup, true)
  })

  test('tokens live as long as it says', async () => {
    const { session } = await app.user('short-lived')
    assert.equal(session.expires_in, 120)
    const { iat, exp } = decode(session.access_token).claims
    assert.equal(exp - iat, 120)
  })

  test('passwords are as long as it says', async () => {
    const { client } = await app.user('ten-letters')
    const error = fails(await client.auth.updateUser({ password: 'nine char' }), { status: 422, code: 'weak_password' })
    assert.deepEqual(error.reasons, ['length'])
  })
})

describe('a refresh token used twice', () => {
  test('the one before the last: the answer was lost, the last one is given again', async () => {
    const { session } = await app.user('lost-answer')
    const next = answers(await refresh(session.refresh_token), 200).json
    assert.equal(answers(await refresh(session.refresh_token), 200).json.refresh_token, next.refresh_token)
  })

  test('an older one: somebody stole it, and nobody gets any further', async () => {
    const { session } = await app.user('stolen')
    const second = answers(await refresh(session.refresh_token), 200).json
    const third = answers(await refresh(second.refresh_token), 200).json
    refuses(await refresh(session.refresh_token), 400, {
      error_code: 'refresh_token_already_used',
      msg: 'Invalid Refresh Token: Already Used',
    })
    for (const token of [second.refresh_token, third.refresh_token]) {
      const { error_code: code } = answers(await refresh(token), 400).json
      assert.ok(['refresh_token_already_used', 'refresh_token_not_found', 'session_not_found'].includes(code), code)
    }
  })

  test('the other sessions of the same user go on', async () => {
    const { email, password, session } = await app.user('two-sessions')
    const other = app.anon()
    ok(await other.auth.signInWithPassword({ email, password }))
    const second = answers(await refresh(session.refresh_token), 200).json
    answers(await refresh(second.refresh_token), 200)
    answers(await refresh(session.refresh_token), 400)
    ok(await other.auth.refreshSession())
  })
})
