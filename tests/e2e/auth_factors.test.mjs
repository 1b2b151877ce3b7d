// Second factors: an authenticator app besides the password, as `auth.mfa` of the official client has it.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { authenticator } from './support/authenticator.mjs'
import { fails, ok, refuses } from './support/expect.mjs'
import { decode } from './support/jwt.mjs'

const app = await startApp({
  config: { 'auth.rate_limit.sign_in_sign_ups': 1000, 'auth.rate_limit.token_verifications': 1000 },
})
after(() => app.stop())

/** A user whose telephone makes codes, and whose session has shown one. */
async function protectedUser(name) {
  const user = await app.user(name)
  const { id, totp } = ok(await user.client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'phone' }))
  const phone = authenticator(totp.secret)
  ok(await user.client.auth.mfa.challengeAndVerify({ factorId: id, code: await phone.code() }))
  return { ...user, factorId: id, phone }
}

/** The same user on another device, by password alone. */
async function byPassword({ email, password }) {
  const client = app.anon()
  const { session } = ok(await client.auth.signInWithPassword({ email, password }))
  return { client, session }
}

const level = async (client) => ok(await client.auth.mfa.getAuthenticatorAssuranceLevel())
const methods = (token) => decode(token).claims.amr.map(({ method }) => method)

describe('setting one up', () => {
  test('raises the session, and is there at the next sign-in', async () => {
    const user = await app.user('careful')
    assert.deepEqual(ok(await user.client.auth.mfa.listFactors()).all, [])
    const enrolled = ok(await user.client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'my phone' }))
    assert.equal(enrolled.type, 'totp')
    assert.equal(enrolled.friendly_name, 'my phone')
    assert.match(enrolled.totp.qr_code, /^data:image\/svg\+xml;utf-8,.*<svg/s)
    const uri = new URL(enrolled.totp.uri)
    assert.equal(uri.protocol, 'otpauth:')
    assert.equal(uri.searchParams.get('secret'), enrolled.totp.secret)
    assert.match(decodeURIComponent(uri.pathname), new RegExp(`127.0.0.1:3000:${user.email}`))

    const before = ok(await user.client.auth.mfa.listFactors())
    assert.deepEqual(before.totp, [])
    assert.deepEqual(before.all.map(({ id, status }) => ({ id, status })), [{ id: enrolled.id, status: 'unverified' }])
    assert.equal((await level(user.client)).nextLevel, 'aal1')

    const challenge = ok(await user.client.auth.mfa.challenge({ factorId: enrolled.id }))
    assert.equal(challenge.type, 'totp')
    assert.ok(challenge.expires_at * 1000 > Date.now() + 200_000)
    const code = await authenticator(enrolled.totp.secret).code()
    const session = ok(await user.client.auth.mfa.verify({ factorId: enrolled.id, challengeId: challenge.id, code }))
    const { claims } = decode(session.access_token)
    assert.equal(claims.aal, 'aal2')
    assert.deepEqual(methods(session.access_token), ['totp', 'password'])
    assert.equal(claims.session_id, decode(user.token).claims.session_id)
    assert.deepEqual(await level(user.client).then(({ currentLevel, nextLevel }) => [currentLevel, nextLevel]), ['aal2', 'aal2'])
    const { totp } = ok(await user.client.auth.mfa.listFactors())
    assert.deepEqual(totp.map(({ friendly_name, status }) => [friendly_name, status]), [['my phone', 'verified']])
    assert.ok(!JSON.stringify(ok(await user.client.auth.getUser())).includes(enrolled.totp.secret))
  })

  test('a refreshed session is as high as before', async () => {
    const { client } = await protectedUser('refreshed')
    const { session } = ok(await client.auth.refreshSession())
    assert.equal(decode(session.access_token).claims.aal, 'aal2')
    assert.deepEqual(methods(session.access_token), ['totp', 'password'])
  })

  test('other sessions of the user end, unless they are as high', async () => {
    const user = await app.user('two-devices')
    const other = await byPassword(user)
    const { id, totp } = ok(await user.client.auth.mfa.enroll({ factorType: 'totp' }))
    const code = await authenticator(totp.secret).code()
    ok(await user.client.auth.mfa.challengeAndVerify({ factorId: id, code }))
    ok(await user.client.auth.getUser())
    refuses(await app.auth('/user', { token: other.session.access_token }), 403, { error_code: 'session_not_found' })
  })

  test('a second one takes a raised session, and a name of its own', async () => {
    const user = await protectedUser('collector')
    fails(await user.client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'phone' }), {
      status: 422,
      code: 'mfa_factor_name_conflict',
    })
    const { client } = await byPassword(user)
    fails(await client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'tablet' }), {
      status: 403,
      code: 'insufficient_aal',
    })
    ok(await user.client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'tablet' }))
  })

  test('kinds that there are not are refused in words', async () => {
    const { client, token } = await app.user('hopeful')
    fails(await client.auth.mfa.enroll({ factorType: 'phone', phone: '+491234567' }), {
      status: 422,
      code: 'mfa_phone_enroll_not_enabled',
    })
    const wrong = await app.auth('/factors', { method: 'POST', token, json: { factor_type: 'smell' } })
    refuses(wrong, 400, { error_code: 'validation_failed', msg: 'factor_type needs to be totp, phone, or webauthn' })
    refuses(await app.auth('/factors', { method: 'POST', json: { factor_type: 'totp' } }), 403)
  })
})

describe('showing it', () => {
  test('policies can ask for it', async () => {
    const user = await protectedUser('reader')
    ok(await user.client.from('payslips').insert({ amount: 100 }), 201)
    const amounts = async (one) => ok(await one.from('payslips').select('amount')).map(({ amount }) => Number(amount))
    const { client, session } = await byPassword(user)
    assert.deepEqual(await amounts(client), [])
    fails(await client.from('payslips').insert({ amount: 1 }), { status: 403, code: '42501' })
    assert.equal(decode(session.access_token).claims.aal, 'aal1')
    assert.deepEqual(await level(client).then(({ currentLevel, nextLevel }) => [currentLevel, nextLevel]), ['aal1', 'aal2'])
    ok(await client.auth.mfa.challengeAndVerify({ factorId: user.factorId, code: await user.phone.code() }))
    assert.equal((await level(client)).currentLevel, 'aal2')
    assert.deepEqual(await amounts(client), [100])
  })

  test('wrong codes, and those of another challenge', async () => {
    const user = await protectedUser('clumsy')
    const { client } = await byPassword(user)
    const mfa = client.auth.mfa
    const challenge = ok(await mfa.challenge({ factorId: user.factorId }))
    const answer = (code, challengeId = challenge.id) => mfa.verify({ factorId: user.factorId, challengeId, code })
    fails(await answer(user.phone.wrong()), { status: 422, code: 'mfa_verification_failed', message: 'Invalid TOTP code entered' })
    fails(await answer(''), { status: 400, code: 'validation_failed' })
    const code = await user.phone.code()
    fails(await answer(code, randomUUID()), { status: 422, code: 'mfa_factor_not_found' })
    fails(await answer(code, 'no id'), { status: 422, code: 'mfa_factor_not_found' })
    ok(await answer(code))
    fails(await answer(await user.phone.code()), { status: 422, code: 'mfa_ip_address_mismatch' })
  })

  test('a code is good once, also when it is shown ten times at once', async () => {
    const user = await protectedUser('overlooked')
    const devices = await Promise.all(Array.from({ length: 10 }, () => byPassword(user)))
    const code = await user.phone.code()
    const replies = await Promise.all(
      devices.map(({ client }) => client.auth.mfa.challengeAndVerify({ factorId: user.factorId, code })),
    )
    const raised = replies.filter(({ error }) => !error)
    assert.equal(raised.length, 1, JSON.stringify(replies.map(({ error }) => error?.code)))
    // It was too late for the code, or the session that was raised had ended the others.
    const late = ({ code, name }) => code === 'mfa_verification_failed' || name === 'AuthSessionMissingError'
    assert.deepEqual(replies.flatMap(({ error }) => (error && !late(error) ? [error] : [])), [])
    const { client } = await byPassword(user)
    fails(await client.auth.mfa.challengeAndVerify({ factorId: user.factorId, code }), {
      status: 422,
      code: 'mfa_verification_failed',
      message: 'This code was used already, wait for the next one',
    })
  })

  test('to its owner only', async () => {
    const owner = await protectedUser('owner')
    const { client } = await app.user('stranger')
    const unknown = { status: 404, code: 'mfa_factor_not_found' }
    fails(await client.auth.mfa.challenge({ factorId: owner.factorId }), unknown)
    fails(await client.auth.mfa.challenge({ factorId: randomUUID() }), unknown)
    fails(await client.auth.mfa.unenroll({ factorId: owner.factorId }), unknown)
    ok(await owner.client.auth.mfa.challenge({ factorId: owner.factorId }))
  })

  test('address and password are changed in a raised session only', async () => {
    const user = await protectedUser('robbed')
    const { client } = await byPassword(user)
    const denied = { status: 401, code: 'insufficient_aal' }
    fails(await client.auth.updateUser({ password: 'a new password' }), denied)
    fails(await client.auth.updateUser({ email: `robber-${randomUUID()}@example.com` }), denied)
    ok(await client.auth.updateUser({ data: { nick: 'robbie' } }))
    ok(await user.client.auth.updateUser({ password: 'a new password' }))
  })
})

describe('ending it', () => {
  test('takes a raised session, and lowers those that it raised', async () => {
    const user = await protectedUser('leaver')
    const { client } = await byPassword(user)
    fails(await client.auth.mfa.unenroll({ factorId: user.factorId }), { status: 422, code: 'insufficient_aal' })
    assert.deepEqual(ok(await user.client.auth.mfa.unenroll({ factorId: user.factorId })), { id: user.factorId })
    const { session } = ok(await user.client.auth.refreshSession())
    assert.equal(decode(session.access_token).claims.aal, 'aal1')
    assert.deepEqual(methods(session.access_token), ['password'])
    assert.deepEqual(ok(await user.client.auth.mfa.listFactors()).all, [])
    ok(await client.auth.updateUser({ password: 'a new password' }))
  })

  test('by an operator, for one that lost its telephone', async () => {
    const user = await protectedUser('forgetful')
    const { mfa } = app.service().auth.admin
    const { factors } = ok(await mfa.listFactors({ userId: user.id }))
    assert.deepEqual(factors.map(({ id, factor_type, status }) => ({ id, factor_type, status })), [
      { id: user.factorId, factor_type: 'totp', status: 'verified' },
    ])
    assert.ok(!('secret' in factors[0]))
    ok(await mfa.deleteFactor({ userId: user.id, id: user.factorId }))
    assert.deepEqual(ok(await mfa.listFactors({ userId: user.id })).factors, [])
    const { client } = await byPassword(user)
    assert.equal((await level(client)).nextLevel, 'aal1')
    const path = `/admin/users/${user.id}/factors`
    refuses(await app.auth(path, { token: user.token }), 403, { error_code: 'not_admin' })
  })
})
