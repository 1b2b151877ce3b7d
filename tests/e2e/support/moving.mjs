// A running app moved to another backend and back, with the official client on top.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './app.mjs'
import { authenticator } from './authenticator.mjs'
import { UNHURRIED, startHosted, startPlatform } from './backends.mjs'
import { follow } from './channels.mjs'
import { truststream } from './cli.mjs'
import { column, ok } from './expect.mjs'
import { decode } from './jwt.mjs'
import { startMongo } from './mongodb.mjs'
import { startPostgres } from './postgres.mjs'

const SERVERS = { postgres: startPostgres, hosted: startHosted, platform: startPlatform, mongodb: startMongo }

/** Tests that move the app under test to a database of this kind and back. */
export async function movesThereAndBack(kind) {
  const cloud = await SERVERS[kind]()
  const provider = kind === 'mongodb' ? kind : 'postgres'
  after(() => cloud.stop())
  const app = await startApp({
    settings: `
[backend.cloud]
database = { provider = "${provider}", url = "${cloud.url}", ${UNHURRIED[provider]} }
storage = ${cloud.storage ?? '{ provider = "fs", root = "cloud-objects" }'}
`,
  })
  after(() => app.stop())
  const service = app.service()

  /** Inserts, one after the other, until told to stop; remembers what was acknowledged and what failed. */
  function writer(name) {
    const state = { acknowledged: [], failed: [], stop: false }
    state.done = (async () => {
      for (let n = 0; !state.stop; n += 1) {
        const sku = `${name}-${n}`
        const { error } = await service.from('products').insert({ sku, name: 'under way' })
        if (error) state.failed.push(error)
        else state.acknowledged.push(sku)
      }
    })()
    return state
  }

  const owner = async () => (await truststream(app.folder, 'status')).route.owner
  /** All of them: a reply has so many rows at most. */
  const skus = async (prefix) => {
    const found = []
    for (;;) {
      const query = service.from('products').select('sku').like('sku', `${prefix}%`).order('id')
      const page = column(ok(await query.range(found.length, found.length + 999)), 'sku')
      found.push(...page)
      if (page.length < 1000) return found
    }
  }

  let ada, grace, inbox
  before(async () => {
    ada = await app.user('ada')
    ok(await ada.client.from('todos').insert({ title: 'before', done: false }))
    ok(await ada.client.storage.from('vault').upload(`${ada.id}/note.txt`, 'from before', { contentType: 'text/plain' }))
    grace = await app.user('grace')
    const { id, totp } = ok(await grace.client.auth.mfa.enroll({ factorType: 'totp' }))
    Object.assign(grace, { factorId: id, phone: authenticator(totp.secret) })
    ok(await grace.client.auth.mfa.challengeAndVerify({ factorId: id, code: await grace.phone.code() }))
    inbox = await follow(ada.client, 'over-the-flip', { table: 'messages' })
  })

  const say = async (body) => ok(await ada.client.from('messages').insert({ room: 'lobby', body }).select().single(), 201)
  const heard = async () => (await inbox.next()).new.body

  /** What has to hold on either side for somebody who noticed nothing. */
  async function everythingIsThere(titles) {
    assert.deepEqual(column(ok(await ada.client.from('todos').select('title').order('id')), 'title'), titles)
    const file = ok(await ada.client.storage.from('vault').download(`${ada.id}/note.txt`))
    assert.equal(await file.text(), 'from before')
    assert.equal(ok(await ada.client.auth.getUser()).user.id, ada.id)
    const { session } = ok(await ada.client.auth.refreshSession())
    assert.equal(session.user.id, ada.id)
    const again = app.anon()
    ok(await again.auth.signInWithPassword({ email: ada.email, password: ada.password }))
    assert.deepEqual(ok(await app.anon().from('todos').select('title')), [])
    await secondFactorsAreThere()
  }

  /** A session that showed a second factor still has; codes of the same telephone are right. */
  async function secondFactorsAreThere() {
    const { session } = ok(await grace.client.auth.refreshSession())
    assert.equal(decode(session.access_token).claims.aal, 'aal2')
    const again = app.anon()
    ok(await again.auth.signInWithPassword({ email: grace.email, password: grace.password }))
    const code = await grace.phone.code()
    const raised = ok(await again.auth.mfa.challengeAndVerify({ factorId: grace.factorId, code }))
    assert.equal(decode(raised.access_token).claims.aal, 'aal2')
  }

  /** Where the files are a platform's, who asks it directly finds them too. */
  async function thePlatformHas(path, text) {
    if (!cloud.gateway) return
    const headers = { authorization: `Bearer ${cloud.gateway.service_role_key}` }
    const file = await fetch(`${cloud.gateway.api_url}/storage/v1/object/authenticated/${path}`, { headers })
    assert.equal(await file.text(), text)
  }

  describe('there', () => {
    test('the plan changes nothing', async () => {
      const plan = await truststream(app.folder, 'switch', 'plan', 'cloud')
      assert.deepEqual(plan.problems, [])
      assert.ok(plan.tables.length > 10)
      assert.equal(await owner(), 'main')
    })

    test('no write fails and none is lost while it moves', async () => {
      const writers = [writer('w1'), writer('w2'), writer('w3')]
      await say('before the flip')
      const { record } = await truststream(app.folder, 'switch', 'start', 'cloud')
      assert.equal(record.phase, 'committed')
      assert.equal(await owner(), 'cloud')
      await say('after the flip')
      for (const one of writers) one.stop = true
      for (const [n, one] of writers.entries()) {
        await one.done
        assert.deepEqual(one.failed, [])
        assert.deepEqual(await skus(`w${n + 1}-`), one.acknowledged)
      }
      for (const table of record.report.tables) assert.equal(table.source, table.target, table.table.name)
    })

    test('sessions, passwords, policies and files came along', async () => {
      await everythingIsThere(['before'])
      await thePlatformHas(`vault/${ada.id}/note.txt`, 'from before')
    })

    test('subscriptions went on, with nothing missing and nothing twice', async () => {
      assert.deepEqual([await heard(), await heard()], ['before the flip', 'after the flip'])
      assert.deepEqual(inbox.left, [])
    })
  })

  describe('back', () => {
    test('with everything written since', async () => {
      ok(await ada.client.from('todos').insert({ title: 'on the other side', done: true }))
      ok(await service.storage.from('vault').upload('new.txt', 'from there', { contentType: 'text/plain' }))
      const writers = [writer('b1'), writer('b2')]
      const record = await truststream(app.folder, 'switch', 'back')
      assert.equal(record?.record?.phase, 'rolled_back')
      assert.equal(await owner(), 'main')
      for (const one of writers) one.stop = true
      for (const [n, one] of writers.entries()) {
        await one.done
        assert.deepEqual(one.failed, [])
        assert.deepEqual(await skus(`b${n + 1}-`), one.acknowledged)
      }
      await everythingIsThere(['before', 'on the other side'])
      assert.equal(await ok(await service.storage.from('vault').download('new.txt')).text(), 'from there')
    })

    test('subscriptions too', async () => {
      await say('home again')
      assert.equal(await heard(), 'home again')
      assert.deepEqual(inbox.left, [])
    })

    test('new rows get new ids', async () => {
      const row = ok(await service.from('products').insert({ sku: 'fresh', name: 'x' }).select('id').single(), 201)
      const rows = ok(await service.from('products').select('id').eq('id', row.id))
      assert.equal(rows.length, 1)
    })

    test('and again, once it is finalized', async () => {
      await truststream(app.folder, 'switch', 'finalize')
      const { record } = await truststream(app.folder, 'switch', 'start', 'cloud')
      assert.equal(record.phase, 'committed')
      await truststream(app.folder, 'switch', 'finalize')
      assert.equal(await owner(), 'cloud')
      await everythingIsThere(['before', 'on the other side'])
      await thePlatformHas('vault/new.txt', 'from there')
    })
  })
}
