// Sign up, sign in, who am I, change me.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, fails, ok, refuses } from './support/expect.mjs'
import { decode, isSignedWith, now, sign } from './support/jwt.mjs'

const app = await startApp()
after(() => app.stop())

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const newEmail = (name = 'somebody') => `${name}-${randomUUID()}@example.com`

describe('sign up', () => {
  test('makes a user and signs it in', async () => {
    const email = newEmail('New.Person')
    const { user, session } = ok(
      await app.anon().auth.signUp({ email, password: 'long enough', options: { data: { nickname: 'Newt' } } })
    )
    assert.match(user.id, UUID)
    assert.equal(user.email, email.toLowerCase())
    assert.deepEqual([user.aud, user.role, user.is_anonymous], ['authenticated', 'authenticated', false])
    assert.deepEqual(user.app_metadata, { provider: 'email', providers: ['email'] })
    assert.equal(user.user_metadata.nickname, 'Newt')
    assert.ok(Date.parse(user.email_confirmed_at) > 0)
    assert.equal(user.identities.length, 1)
    assert.equal(user.identities[0].provider, 'email')
    assert.equal(user.identities[0].user_id, user.id)
    assert.equal(user.identities[0].identity_data.email, email.toLowerCase())
    assert.equal(session.user.id, user.id)
    assert.equal(session.token_type, 'bearer')
    assert.equal(session.expires_in, 3600)
  })

  test('nothing secret is in the answer', async () => {
    const reply = await app.auth('/signup', { method: 'POST', json: { email: newEmail(), password: 'long enough' } })
    answers(reply, 200)
    assert.doesNotMatch(reply.text, /encrypted_password|password_hash|\$argon2|\$2[aby]\$|confirmation_token/)
  })

  test('the same address again, in any case', async () => {
    const email = newEmail()
    ok(await app.anon().auth.signUp({ email, password: 'long enough' }))
    fails(await app.anon().auth.signUp({ email: email.toUpperCase(), password: 'another one' }), {
      status: 422,
      code: 'user_already_exists',
      message: 'User already registered',
    })
  })

  test('two at the same moment make one user', async () => {
    const email = newEmail()
    const results = await Promise.all(
      [1, 2, 3, 4].map((n) => app.anon().auth.signUp({ email, password: `password ${n}` }))
    )
    assert.equal(results.filter((result) => result.error === null).length, 1)
    const { users } = ok(await app.service().auth.admin.listUsers({ perPage: 1000 }))
    assert.equal(users.filter((user) => user.email === email).length, 1)
  })

  test('a password that is too short, or none', async () => {
    const error = fails(await app.anon().auth.signUp({ email: newEmail(), password: 'short' }), {
      status: 422,
      code: 'weak_password',
      message: 'Password should be at least 6 characters.',
    })
    assert.deepEqual(error.reasons, ['length'])
    refuses(await app.auth('/signup', { method: 'POST', json: { email: newEmail() } }), 400, {
      error_code: 'validation_failed',
      msg: 'Signup requires a valid password',
    })
  })

  test('a password longer than 72 bytes is refused, not cut', async () => {
    fails(await app.anon().auth.signUp({ email: newEmail(), password: 'x'.repeat(73) }), {
      status: 400,
      code: 'validation_failed',
    })
  })

  test('an address that is none', async () => {
    fails(await app.anon().auth.signUp({ email: 'not an address', password: 'long enough' }), {
      status: 400,
      code: 'validation_failed',
      message: 'Unable to validate email address: invalid format',
    })
  })

  test('a caller gives himself neither role nor rights nor id', async () => {
    const id = randomUUID()
    const reply = await app.auth('/signup', {
      method: 'POST',
      json: {
        id,
        email: newEmail(),
        password: 'long enough',
        role: 'service_role',
        aud: 'admin',
        app_metadata: { admin: true },
        is_super_admin: true,
      },
    })
    const { user } = answers(reply, 200).json
    assert.notEqual(user.id, id)
    assert.deepEqual([user.role, user.aud], ['authenticated', 'authenticated'])
    assert.deepEqual(user.app_metadata, { provider: 'email', providers: ['email'] })
  })

  test('anonymous users are off', async () => {
    fails(await app.anon().auth.signInAnonymously(), { status: 422, code: 'anonymous_provider_disabled' })
  })
})

describe('sign in', () => {
  test('with the password, with the address in any case', async () => {
    const { id, email, password } = await app.user('signs-in')
    const { user, session } = ok(await app.anon().auth.signInWithPassword({ email: email.toUpperCase(), password }))
    assert.equal(user.id, id)
    assert.ok(Math.abs(Date.parse(user.last_sign_in_at) - Date.now()) < 600_000)
    assert.ok(Math.abs(session.expires_at - now(3600)) < 600)
  })

  test('a wrong password and an unknown address are not told apart', async () => {
    const { email } = await app.user('guarded')
    const expected = { status: 400, code: 'invalid_credentials', message: 'Invalid login credentials' }
    fails(await app.anon().auth.signInWithPassword({ email, password: 'a wrong one' }), expected)
    fails(await app.anon().auth.signInWithPassword({ email: newEmail(), password: 'a wrong one' }), expected)
  })

  test('each sign-in is a session of its own', async () => {
    const { email, password, session: first } = await app.user('twice')
    const { session: second } = ok(await app.anon().auth.signInWithPassword({ email, password }))
    assert.notEqual(decode(second.access_token).claims.session_id, decode(first.access_token).claims.session_id)
    assert.notEqual(second.refresh_token, first.refresh_token)
  })
})

describe('the access token', () => {
  test('is an HS256 JWT with the claims that policies and clients read', async () => {
    const { id, email, token } = await app.user('bearer', {
      user_metadata: { color: 'green' },
      app_metadata: { department: 'legal' },
    })
    assert.ok(isSignedWith(token, app.jwtSecret))
    const { header, claims } = decode(token)
    assert.equal(header.alg, 'HS256')
    assert.equal(claims.sub, id)
    assert.equal(claims.email, email)
    assert.equal(claims.phone, '')
    assert.deepEqual([claims.aud, claims.role, claims.aal], ['authenticated', 'authenticated', 'aal1'])
    assert.equal(claims.is_anonymous, false)
    assert.match(claims.session_id, UUID)
    assert.equal(claims.amr[0].method, 'password')
    assert.ok(Math.abs(claims.amr[0].timestamp - now()) < 600)
    assert.equal(claims.exp - claims.iat, 3600)
    assert.match(claims.iss, /\/auth\/v1$/)
    assert.equal(claims.user_metadata.color, 'green')
    assert.deepEqual(claims.app_metadata, { provider: 'email', providers: ['email'], department: 'legal' })
  })

  test('the keys of the project are tokens too', () => {
    for (const [key, role] of [[app.anonKey, 'anon'], [app.serviceKey, 'service_role']]) {
      assert.ok(isSignedWith(key, app.jwtSecret))
      assert.equal(decode(key).claims.role, role)
    }
  })
})

describe('the user', () => {
  test('get', async () => {
    const { id, email, client } = await app.user('me')
    const { user } = ok(await client.auth.getUser())
    assert.deepEqual([user.id, user.email], [id, email])
  })

  test('get without a session, with a key that is no user, with a user that is gone', async () => {
    refuses(await app.auth('/user', { token: null }), 401, { error_code: 'no_authorization' })
    refuses(await app.auth('/user'), 403, { error_code: 'bad_jwt' })
    const ghost = sign(
      { sub: randomUUID(), role: 'authenticated', aud: 'authenticated', exp: now(60) },
      app.jwtSecret
    )
    refuses(await app.auth('/user', { token: ghost }), 403, { error_code: 'user_not_found' })
  })

  test('metadata is merged', async () => {
    const { client } = await app.user('changes', { user_metadata: { a: 1, b: 1 } })
    const { user } = ok(await client.auth.updateUser({ data: { b: 2, c: { d: [3] } } }))
    const { a, b, c } = user.user_metadata
    assert.deepEqual({ a, b, c }, { a: 1, b: 2, c: { d: [3] } })
    assert.deepEqual(ok(await client.auth.getUser()).user.user_metadata, user.user_metadata)
  })

  test('the next token carries what changed', async () => {
    const { client } = await app.user('fresh')
    ok(await client.auth.updateUser({ data: { step: 2 } }))
    const { session } = ok(await client.auth.refreshSession())
    assert.equal(decode(session.access_token).claims.user_metadata.step, 2)
  })

  test('a new password takes the place of the old one and ends the other sessions', async () => {
    const { client, email, password } = await app.user('renews')
    const other = app.anon()
    ok(await other.auth.signInWithPassword({ email, password }))
    ok(await client.auth.updateUser({ password: 'a brand new one' }))
    fails(await app.anon().auth.signInWithPassword({ email, password }), { code: 'invalid_credentials' })
    ok(await app.anon().auth.signInWithPassword({ email, password: 'a brand new one' }))
    ok(await client.auth.refreshSession())
    fails(await other.auth.refreshSession(), { status: 400 })
  })

  test('the same password again, and a weak one', async () => {
    const { client, password } = await app.user('repeats')
    fails(await client.auth.updateUser({ password }), { status: 422, code: 'same_password' })
    fails(await client.auth.updateUser({ password: 'weak' }), { status: 422, code: 'weak_password' })
  })

  test('an address that somebody else has', async () => {
    const [one, two] = [await app.user('one'), await app.user('two')]
    fails(await one.client.auth.updateUser({ email: two.email }), { status: 422, code: 'email_exists' })
  })

  test('rights are not for the user to change', async () => {
    const { token } = await app.user('climber')
    refuses(await app.auth('/user', { method: 'PUT', token, json: { app_metadata: { admin: true } } }), 403, {
      error_code: 'not_admin',
    })
    const json = { data: {}, role: 'service_role', id: randomUUID(), is_super_admin: true }
    const user = answers(await app.auth('/user', { method: 'PUT', token, json }), 200).json
    assert.equal(user.role, 'authenticated')
    assert.equal(user.id, decode(token).claims.sub)
  })
})

describe('what the service says of itself', () => {
  test('settings and health', async () => {
    const settings = answers(await app.auth('/settings'), 200).json
    assert.equal(settings.external.email, true)
    assert.equal(settings.disable_signup, false)
    assert.equal(settings.mailer_autoconfirm, true)
    answers(await app.auth('/health'), 200)
  })
})
