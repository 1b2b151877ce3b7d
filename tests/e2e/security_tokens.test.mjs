// Tokens that should not be believed, at every service.

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, ok, refuses } from './support/expect.mjs'
import { now, sign, tamper, unsigned } from './support/jwt.mjs'

const app = await startApp()
after(() => app.stop())

let ada
before(async () => {
  ada = await app.user('ada')
  ok(await ada.client.from('todos').insert({ title: 'hers' }))
  ok(await ada.client.storage.from('vault').upload(`${ada.id}/a.txt`, 'hers', { contentType: 'text/plain' }))
})

const claims = (changes = {}) => ({
  sub: ada.id,
  role: 'authenticated',
  aud: 'authenticated',
  iat: now(-10),
  exp: now(60),
  ...changes,
})

/** Each of them names ada, or more; none of them is hers. */
const forged = () => ({
  'signed with another secret': sign(claims(), 'another secret of thirty-two letters'),
  'signed with an empty secret': sign(claims(), ''),
  'not signed: none': unsigned(claims()),
  'not signed: None': unsigned(claims(), 'None'),
  'not signed: HS256': unsigned(claims(), 'HS256'),
  'HMAC that calls itself RS256': sign(claims(), app.jwtSecret, { header: { alg: 'RS256', typ: 'JWT' } }),
  'the public key as a secret': confused(),
  'claims changed': tamper(ada.token, { role: 'service_role' }),
  'header changed': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${ada.token.split('.').slice(1).join('.')}`,
  'cut off': ada.token.slice(0, -5),
})

/** A token whose HMAC key is a public key that it brings along. */
function confused() {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const header = { alg: 'HS256', typ: 'JWT', kid: 'mine', jwk: publicKey.export({ format: 'jwk' }) }
  const text = [header, claims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
}

describe('data', () => {
  test('the token of a user is believed', async () => {
    assert.equal(answers(await app.rest('/todos?select=title', { token: ada.token }), 200).json.length, 1)
    assert.equal(answers(await app.rest('/todos?select=title', { token: sign(claims(), app.jwtSecret) }), 200).json.length, 1)
  })

  test('a forged one is not, and does not become anonymous either', async () => {
    for (const [what, token] of Object.entries(forged())) {
      const reply = await app.rest('/artists', { token })
      assert.equal(reply.status, 401, `${what}: ${reply.status} ${reply.text.slice(0, 200)}`)
      assert.equal(reply.json.code, 'PGRST301', what)
      assert.match(reply.header('www-authenticate'), /^Bearer/, what)
    }
  })

  test('an expired one', async () => {
    const reply = await app.rest('/artists', { token: sign(claims({ exp: now(-120) }), app.jwtSecret) })
    refuses(reply, 401, { code: 'PGRST303', message: 'JWT expired' })
    assert.match(reply.header('www-authenticate'), /JWT expired/)
  })

  test('one for later', async () => {
    refuses(await app.rest('/artists', { token: sign(claims({ nbf: now(3600) }), app.jwtSecret) }), 401, {
      code: 'PGRST303',
      message: 'JWT not yet valid',
    })
  })

  test('something that is no token', async () => {
    refuses(await app.rest('/artists', { token: 'a.b' }), 401, {
      code: 'PGRST301',
      message: 'Expected 3 parts in JWT; got 2',
    })
    refuses(await app.rest('/artists', { token: 'a.b.c' }), 401)
    refuses(await app.rest('/artists', { token: null, headers: { apikey: 'nonsense' } }), 401)
  })

  test('a role that is not for callers', async () => {
    for (const role of ['postgres', 'supabase_admin', 'nosuchrole', 'service_role; --']) {
      const reply = await app.rest('/secrets', { token: sign(claims({ role }), app.jwtSecret) })
      assert.ok([401, 403].includes(reply.status), `${role}: ${reply.status} ${reply.text.slice(0, 200)}`)
    }
  })

  test('no role is anon', async () => {
    const token = sign({ exp: now(60) }, app.jwtSecret)
    assert.equal(answers(await app.rest('/artists', { token }), 200).json.length, 5)
    assert.deepEqual(answers(await app.rest('/todos', { token }), 200).json, [])
  })

  test('headers give nobody a role or claims', async () => {
    const headers = {
      role: 'service_role',
      'x-role': 'service_role',
      'x-hasura-role': 'service_role',
      'request.jwt.claims': JSON.stringify({ role: 'service_role', sub: ada.id }),
      prefer: 'role=service_role',
    }
    assert.deepEqual(answers(await app.rest('/todos', { headers }), 200).json, [])
    assert.deepEqual(answers(await app.rest('/secrets', { headers }), 200).json, [])
  })

  test('one caller does not leave his role to the next', async () => {
    const requests = Array.from({ length: 60 }, (_, n) => {
      const [token, rows] = [[app.serviceKey, 1], [ada.token, 0], [app.anonKey, 0]][n % 3]
      return app.rest('/secrets?select=id', { token }).then((reply) => [answers(reply, 200).json.length, rows])
    })
    for (const [seen, expected] of await Promise.all(requests)) assert.equal(seen, expected)
  })
})

describe('auth', () => {
  test('forged and expired ones', async () => {
    const bad = { ...forged(), expired: sign(claims({ exp: now(-120) }), app.jwtSecret) }
    for (const [what, token] of Object.entries(bad)) {
      const reply = await app.auth('/user', { token })
      assert.equal(reply.status, 403, `${what}: ${reply.status} ${reply.text.slice(0, 200)}`)
      assert.equal(reply.json.error_code, 'bad_jwt', what)
    }
  })

  test('nobody becomes an administrator by them', async () => {
    const asAdmin = {
      unsigned: unsigned({ role: 'service_role', exp: now(60) }),
      tampered: tamper(app.anonKey, { role: 'service_role' }),
      'another secret': sign({ role: 'service_role', exp: now(60) }, 'another secret of thirty-two letters'),
      expired: sign({ role: 'service_role', exp: now(-120) }, app.jwtSecret),
    }
    for (const [what, token] of Object.entries(asAdmin)) {
      assert.equal((await app.auth('/admin/users', { token })).status, 403, what)
      assert.equal((await app.auth(`/admin/users/${ada.id}`, { token, method: 'DELETE' })).status, 403, what)
    }
    answers(await app.auth('/user', { token: ada.token }), 200)
  })
})

describe('storage', () => {
  test('forged and expired ones open no file', async () => {
    const path = `/object/authenticated/vault/${ada.id}/a.txt`
    answers(await app.storage(path, { token: ada.token }), 200)
    const bad = { ...forged(), expired: sign(claims({ exp: now(-120) }), app.jwtSecret) }
    for (const [what, token] of Object.entries(bad)) {
      const reply = await app.storage(path, { token })
      assert.equal(reply.status, 400, `${what}: ${reply.status} ${reply.text.slice(0, 200)}`)
      assert.equal(reply.json.statusCode, '403', what)
    }
  })

  test('nor do they make a bucket', async () => {
    const token = tamper(app.anonKey, { role: 'service_role' })
    const json = { id: 'forged', name: 'forged', public: true }
    refuses(await app.storage('/bucket', { method: 'POST', token, json }), 400, { statusCode: '403' })
  })
})
