// Refreshing, and signing out here, there and everywhere.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, ok, refuses } from './support/expect.mjs'
import { decode } from './support/jwt.mjs'

const app = await startApp({ config: { 'auth.refresh_token_reuse_interval': 600 } })
after(() => app.stop())

const refresh = (token) =>
  app.auth('/token?grant_type=refresh_token', { method: 'POST', json: { refresh_token: token } })

describe('refresh', () => {
  test('gives a new token for the same session', async () => {
    const { client, session: before } = await app.user('refreshes')
    const { session } = ok(await client.auth.refreshSession())
    assert.notEqual(session.refresh_token, before.refresh_token)
    const [old, fresh] = [decode(before.access_token).claims, decode(session.access_token).claims]
    assert.equal(fresh.session_id, old.session_id)
    assert.equal(fresh.sub, old.sub)
    assert.deepEqual(fresh.amr, old.amr)
    ok(await client.auth.getUser())
  })

  test('a token that was lost on the way may be asked for again', async () => {
    const { session } = await app.user('bad-line')
    const first = answers(await refresh(session.refresh_token), 200).json
    const again = answers(await refresh(session.refresh_token), 200).json
    assert.equal(again.refresh_token, first.refresh_token)
  })

  test('within the reuse interval an older one is still taken', async () => {
    const { session } = await app.user('many-tabs')
    const first = answers(await refresh(session.refresh_token), 200).json
    answers(await refresh(first.refresh_token), 200)
    answers(await refresh(session.refresh_token), 200)
  })

  test('ten at once all get the same token', async () => {
    const { session } = await app.user('ten-tabs')
    const replies = await Promise.all(Array.from({ length: 10 }, () => refresh(session.refresh_token)))
    const tokens = new Set(replies.map((reply) => answers(reply, 200).json.refresh_token))
    assert.equal(tokens.size, 1)
  })

  test('a token that nobody gave out', async () => {
    refuses(await refresh('nobodys-token'), 400, {
      error_code: 'refresh_token_not_found',
      msg: 'Invalid Refresh Token: Refresh Token Not Found',
    })
    answers(await refresh(''), 400)
  })
})

describe('sign out', () => {
  /** One user on two devices. */
  async function twoDevices(name) {
    const one = await app.user(name)
    const second = app.anon()
    const { session } = ok(await second.auth.signInWithPassword({ email: one.email, password: one.password }))
    return [
      { client: one.client, refreshToken: one.session.refresh_token, token: one.token },
      { client: second, refreshToken: session.refresh_token, token: session.access_token },
    ]
  }

  const signOut = async (device, scope) => assert.equal((await device.client.auth.signOut({ scope })).error, null)
  const isOut = async ({ refreshToken, token }) => {
    refuses(await refresh(refreshToken), 400, { error_code: 'refresh_token_not_found' })
    refuses(await app.auth('/user', { token }), 403, { error_code: 'session_not_found' })
  }
  const isIn = async ({ refreshToken, token }) => {
    answers(await app.auth('/user', { token }), 200)
    answers(await refresh(refreshToken), 200)
  }

  test('here only', async () => {
    const [here, there] = await twoDevices('local')
    await signOut(here, 'local')
    await isOut(here)
    await isIn(there)
  })

  test('everywhere else', async () => {
    const [here, there] = await twoDevices('others')
    await signOut(here, 'others')
    await isOut(there)
    await isIn(here)
  })

  test('everywhere', async () => {
    const [here, there] = await twoDevices('global')
    await signOut(here, 'global')
    await isOut(here)
    await isOut(there)
  })

  test('everywhere is what it means when nothing is said', async () => {
    const [here, there] = await twoDevices('default')
    const reply = answers(await app.auth('/logout', { method: 'POST', token: here.token }), 204)
    assert.equal(reply.text, '')
    await isOut(there)
  })

  test('a scope that there is not', async () => {
    const [here] = await twoDevices('odd-scope')
    refuses(await app.auth('/logout?scope=moon', { method: 'POST', token: here.token }), 400, {
      error_code: 'validation_failed',
    })
    await isIn(here)
  })
})
