// What an operator does with users, and only an operator.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok, refuses } from './support/expect.mjs'
import { decode } from './support/jwt.mjs'

const app = await startApp()
after(() => app.stop())
const { admin } = app.service().auth

const newEmail = (name) => `${name}-${randomUUID()}@example.com`
const signIn = (email, password) => app.anon().auth.signInWithPassword({ email, password })

// One password as other systems hash it.
const IMPORTED = 'imported-password-1'
const HASHES = {
  'bcrypt $2a$': '$2a$10$2gcZ82sZ4vUn/7UQdAmyau2GRWSdBy1YrMgZ/rOc8CZiEa8CgoaJy',
  'bcrypt $2b$': '$2b$10$3lRsdvcDZ8FB0uQem0v34eF3zIu6LUihleOsuld9SDqzwSa8yFjKS',
  argon2id: '$argon2id$v=19$m=19456,t=2,p=1$O+MHrjFIG3CT/4V48VEU6Q$3C66ZzyWlajNoZIdbdZE5EAhWSPeOvb3UL7qfivK940',
}

describe('create', () => {
  test('with everything', async () => {
    const id = randomUUID()
    const email = newEmail('full')
    const { user } = ok(
      await admin.createUser({
        id,
        email,
        password: 'long enough',
        email_confirm: true,
        user_metadata: { name: 'Full' },
        app_metadata: { plan: 'pro' },
      })
    )
    assert.deepEqual([user.id, user.email, user.role, user.aud], [id, email, 'authenticated', 'authenticated'])
    assert.equal(user.user_metadata.name, 'Full')
    assert.deepEqual(user.app_metadata, { provider: 'email', providers: ['email'], plan: 'pro' })
    assert.ok(user.email_confirmed_at)
    ok(await signIn(email, 'long enough'))
  })

  test('who has not confirmed the address does not get in', async () => {
    const email = newEmail('unconfirmed')
    const { user } = ok(await admin.createUser({ email, password: 'long enough' }))
    assert.ok(!user.email_confirmed_at)
    fails(await signIn(email, 'long enough'), { status: 400, code: 'email_not_confirmed', message: 'Email not confirmed' })
    ok(await admin.updateUserById(user.id, { email_confirm: true }))
    ok(await signIn(email, 'long enough'))
  })

  for (const [kind, password_hash] of Object.entries(HASHES)) {
    test(`with a hash from elsewhere: ${kind}`, async () => {
      const email = newEmail('imported')
      ok(await admin.createUser({ email, password_hash, email_confirm: true }))
      ok(await signIn(email, IMPORTED))
      fails(await signIn(email, 'imported-password-2'), { code: 'invalid_credentials' })
      fails(await signIn(email, password_hash.slice(0, 72)), { code: 'invalid_credentials' })
    })
  }

  test('a password and a hash at once', async () => {
    const attributes = { email: newEmail('both'), password: 'long enough', password_hash: HASHES.argon2id }
    fails(await admin.createUser(attributes), { status: 400, code: 'validation_failed' })
  })

  test('without an address', async () => {
    fails(await admin.createUser({ password: 'long enough' }), { status: 400, code: 'validation_failed' })
  })

  test('an address that is taken', async () => {
    const email = newEmail('taken')
    ok(await admin.createUser({ email, password: 'long enough' }))
    fails(await admin.createUser({ email, password: 'long enough' }), {
      status: 422,
      code: 'email_exists',
      message: 'A user with this email address has already been registered',
    })
  })
})

describe('read', () => {
  test('one', async () => {
    const { id, email } = await app.user('one')
    assert.equal(ok(await admin.getUserById(id)).user.email, email)
    fails(await admin.getUserById(randomUUID()), { status: 404, code: 'user_not_found', message: 'User not found' })
    refuses(await app.auth('/admin/users/12', { token: app.serviceKey }), 404, { error_code: 'validation_failed' })
  })

  test('page by page, with the total', async () => {
    for (const name of ['p1', 'p2', 'p3']) ok(await admin.createUser({ email: newEmail(name), password: 'long enough' }))
    const all = ok(await admin.listUsers({ page: 1, perPage: 1000 }))
    assert.equal(all.aud, 'authenticated')
    assert.equal(all.total, all.users.length)
    const first = ok(await admin.listUsers({ page: 1, perPage: 2 }))
    const second = ok(await admin.listUsers({ page: 2, perPage: 2 }))
    assert.equal(first.users.length, 2)
    assert.equal(first.total, all.total)
    assert.equal(first.nextPage, 2)
    const ids = [...column(first.users, 'id'), ...column(second.users, 'id')]
    assert.deepEqual(ids, column(all.users, 'id').slice(0, 4))
  })

  test('nothing secret is in it', async () => {
    const reply = answers(await app.auth('/admin/users', { token: app.serviceKey }), 200)
    assert.doesNotMatch(reply.text, /encrypted_password|\$argon2|\$2[aby]\$/)
  })
})

describe('update', () => {
  test('address, password, metadata', async () => {
    const { id, email, password } = await app.user('updated')
    const changed = newEmail('changed')
    const { user } = ok(
      await admin.updateUserById(id, {
        email: changed,
        password: 'set by the operator',
        user_metadata: { a: 1 },
        app_metadata: { plan: 'pro' },
      })
    )
    assert.equal(user.email, changed)
    assert.equal(user.user_metadata.a, 1)
    assert.equal(user.app_metadata.plan, 'pro')
    fails(await signIn(email, password), { code: 'invalid_credentials' })
    const { session } = ok(await signIn(changed, 'set by the operator'))
    assert.equal(decode(session.access_token).claims.app_metadata.plan, 'pro')
  })

  test('a weak password is not taken from an operator either', async () => {
    const { id } = await app.user('weak')
    fails(await admin.updateUserById(id, { password: 'weak' }), { status: 422, code: 'weak_password' })
  })

  test('a ban keeps out, and its end lets in again', async () => {
    const { id, email, password, client } = await app.user('banned')
    const { user } = ok(await admin.updateUserById(id, { ban_duration: '24h' }))
    assert.ok(Date.parse(user.banned_until) > Date.now() + 23 * 3600_000)
    fails(await signIn(email, password), { status: 400, code: 'user_banned' })
    fails(await client.auth.refreshSession(), { status: 400, code: 'user_banned' })
    ok(await admin.updateUserById(id, { ban_duration: 'none' }))
    ok(await signIn(email, password))
  })
})

describe('delete', () => {
  test('is gone, with sessions and rows', async () => {
    const { id, email, password, client, token } = await app.user('leaves')
    ok(await client.from('profiles').insert({ id, username: `u-${id}`, visible: true }))
    ok(await client.from('todos').insert({ title: 'to go' }))
    assert.equal((await admin.deleteUser(id)).error, null)
    fails(await admin.getUserById(id), { status: 404, code: 'user_not_found' })
    fails(await signIn(email, password), { code: 'invalid_credentials' })
    refuses(await app.auth('/user', { token }), 403, { error_code: 'user_not_found' })
    const service = app.service()
    assert.deepEqual(ok(await service.from('profiles').select().eq('id', id)), [])
    assert.deepEqual(ok(await service.from('todos').select().eq('user_id', id)), [])
    fails(await admin.deleteUser(id), { status: 404, code: 'user_not_found' })
  })

  test('the address is free again', async () => {
    const { id, email } = await app.user('returns')
    assert.equal((await admin.deleteUser(id)).error, null)
    const { user } = ok(await admin.createUser({ email, password: 'long enough' }))
    assert.notEqual(user.id, id)
  })
})

describe('nobody else', () => {
  test('neither a user nor the anon key nor nobody', async () => {
    const { token, id } = await app.user('curious')
    for (const [path, method] of [['/admin/users', 'GET'], ['/admin/users', 'POST'], [`/admin/users/${id}`, 'DELETE']]) {
      const json = method === 'POST' ? { email: newEmail('x'), password: 'long enough' } : undefined
      refuses(await app.auth(path, { method, token, json }), 403, { error_code: 'not_admin', msg: 'User not allowed' })
      refuses(await app.auth(path, { method, json }), 403, { error_code: 'not_admin' })
      refuses(await app.auth(path, { method, token: null, json }), 401, { error_code: 'no_authorization' })
    }
    assert.equal(ok(await admin.getUserById(id)).user.id, id)
  })
})
