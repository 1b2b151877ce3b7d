// Policies on every read and every write: own rows, checks, what comes back.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const service = app.service()

let ada, bob
before(async () => {
  ada = await app.user('ada')
  bob = await app.user('bob')
  ok(await ada.client.from('todos').insert([{ title: 'hers 1', done: false }, { title: 'hers 2', done: true }]))
  ok(await bob.client.from('todos').insert({ title: 'his' }))
})

const DENIED = { code: '42501', message: 'new row violates row-level security policy for table "todos"' }

describe('reading', () => {
  test('everybody sees his own, the anonymous caller nothing, the service role all', async () => {
    const titles = async (client) => column(ok(await client.from('todos').select('title').order('title')), 'title')
    assert.deepEqual(await titles(ada.client), ['hers 1', 'hers 2'])
    assert.deepEqual(await titles(bob.client), ['his'])
    assert.deepEqual(await titles(app.anon()), [])
    assert.deepEqual(await titles(service), ['hers 1', 'hers 2', 'his'])
  })

  test('no filter gets around it', async () => {
    const { client } = bob
    assert.deepEqual(ok(await client.from('todos').select().eq('user_id', ada.id)), [])
    assert.deepEqual(ok(await client.from('todos').select('title').or(`user_id.eq.${ada.id},title.eq.his`)), [{ title: 'his' }])
    assert.deepEqual(ok(await client.from('todos').select('title').not('title', 'like', 'hers%')), [{ title: 'his' }])
    assert.equal(ok(await client.from('todos').select().eq('title', 'hers 1').maybeSingle()), null)
  })

  test('nor does a count', async () => {
    const count = async (client) => (await client.from('todos').select('*', { count: 'exact', head: true })).count
    assert.equal(await count(ada.client), 2)
    assert.equal(await count(bob.client), 1)
    assert.equal(await count(app.anon()), 0)
  })
})

describe('inserting', () => {
  test('the default fills in who it is', async () => {
    const row = ok(await ada.client.from('todos').insert({ title: 'filled in' }).select().single(), 201)
    assert.equal(row.user_id, ada.id)
  })

  test('for somebody else: 403, and for nobody in particular: 401', async () => {
    fails(await bob.client.from('todos').insert({ title: 'forged', user_id: ada.id }), { ...DENIED, status: 403 })
    fails(await app.anon().from('todos').insert({ title: 'forged', user_id: ada.id }), { ...DENIED, status: 401 })
    assert.deepEqual(ok(await service.from('todos').select().eq('title', 'forged')), [])
  })

  test('one row of many is not allowed: none is there', async () => {
    const rows = [{ title: 'mixed 1', user_id: bob.id }, { title: 'mixed 2', user_id: ada.id }]
    fails(await bob.client.from('todos').insert(rows), { ...DENIED, status: 403 })
    assert.deepEqual(ok(await service.from('todos').select().like('title', 'mixed%')), [])
  })

  test('the service role writes for anybody', async () => {
    const row = ok(await service.from('todos').insert({ title: 'from above', user_id: bob.id }).select().single())
    assert.equal(row.user_id, bob.id)
    assert.equal(ok(await bob.client.from('todos').select().eq('id', row.id)).length, 1)
  })

  test('what may be put in but not read may not come back either', async () => {
    const box = app.anon().from('feedback')
    assert.equal(ok(await box.insert({ message: 'well done' }), 201), null)
    fails(await app.anon().from('feedback').insert({ message: 'show me' }).select(), { code: '42501', status: 401 })
    fails(await ada.client.from('feedback').insert({ message: '' }), { code: '42501', status: 403 })
    assert.deepEqual(ok(await ada.client.from('feedback').select()), [])
    assert.deepEqual(ok(await service.from('feedback').select('message')), [{ message: 'well done' }])
  })
})

describe('updating and deleting', () => {
  test('what one does not see one does not touch', async () => {
    assert.deepEqual(ok(await bob.client.from('todos').update({ done: true }).eq('title', 'hers 1').select(), 200), [])
    assert.deepEqual(ok(await bob.client.from('todos').delete().eq('title', 'hers 1').select(), 200), [])
    assert.deepEqual(ok(await app.anon().from('todos').delete().neq('title', '').select()), [])
    const row = ok(await service.from('todos').select('done').eq('title', 'hers 1').single())
    assert.deepEqual(row, { done: false })
  })

  test('a filter that names nobody changes only own rows', async () => {
    const carol = await app.user('carol')
    ok(await carol.client.from('todos').insert([{ title: 'c1' }, { title: 'c2' }]))
    const changed = await carol.client.from('todos').update({ done: true }, { count: 'exact' }).neq('title', '')
    ok(changed, 204)
    assert.equal(changed.count, 2)
    const deleted = await carol.client.from('todos').delete({ count: 'exact' }).neq('title', '')
    assert.equal(deleted.count, 2)
    assert.ok(ok(await service.from('todos').select('id')).length >= 3)
  })

  test('a row cannot be given away', async () => {
    fails(await bob.client.from('todos').update({ user_id: ada.id }).eq('title', 'his'), { ...DENIED, status: 403 })
    assert.deepEqual(ok(await service.from('todos').select('user_id').eq('title', 'his').single()), { user_id: bob.id })
  })

  test('using stands in for a check that is not there', async () => {
    ok(await ada.client.from('profiles').insert({ id: ada.id, username: 'ada_l' }))
    ok(await ada.client.from('profiles').update({ bio: 'counts' }).eq('id', ada.id))
    fails(await ada.client.from('profiles').update({ id: bob.id }).eq('id', ada.id), { code: '42501', status: 403 })
  })

  test('no policy for an action: nothing happens', async () => {
    assert.deepEqual(ok(await ada.client.from('profiles').delete().eq('id', ada.id).select()), [])
    assert.equal(ok(await service.from('profiles').select().eq('id', ada.id)).length, 1)
  })
})

describe('upserting', () => {
  test('own rows: inserted, then updated', async () => {
    const put = (done) =>
      ada.client
        .from('todos')
        .upsert({ title: 'again', user_id: ada.id, done }, { onConflict: 'user_id,title' })
        .select('done')
    assert.deepEqual(ok(await put(false), 201), [{ done: false }])
    assert.deepEqual(ok(await put(true), 200), [{ done: true }])
  })

  test("somebody else's row by its id", async () => {
    const { id } = ok(await service.from('todos').select('id').eq('title', 'hers 1').single())
    const result = await bob.client.from('todos').upsert({ id, title: 'stolen', user_id: bob.id })
    fails(result, { code: '42501', status: 403 })
    assert.deepEqual(ok(await service.from('todos').select('title, user_id').eq('id', id).single()), {
      title: 'hers 1',
      user_id: ada.id,
    })
  })

  test("somebody else's row by another unique column", async () => {
    const dora = await app.user('dora')
    ok(await dora.client.from('profiles').insert({ id: dora.id, username: 'dora_h' }))
    const result = await bob.client.from('profiles').upsert({ id: bob.id, username: 'dora_h', bio: 'mine now' }, { onConflict: 'username' })
    fails(result, { code: '42501', status: 403 })
    assert.deepEqual(ok(await service.from('profiles').select('bio').eq('id', dora.id).single()), { bio: null })
  })
})

describe('claims', () => {
  test('a policy reads what the token says', async () => {
    const helper = await app.user('helper', { app_metadata: { department: 'support' } })
    assert.deepEqual(column(ok(await helper.client.from('tickets').select('subject').order('id')), 'subject'), [
      'Cannot sign in',
      'Wrong invoice',
    ])
    ok(await helper.client.from('tickets').insert({ department: 'support', subject: 'new' }), 201)
    fails(await helper.client.from('tickets').insert({ department: 'legal', subject: 'new' }), { code: '42501', status: 403 })
    fails(await helper.client.from('tickets').update({ department: 'legal' }).eq('subject', 'new'), { code: '42501' })
    ok(await helper.client.from('tickets').delete().eq('subject', 'new'))
    assert.deepEqual(ok(await ada.client.from('tickets').select()), [])
  })

  test('what the user writes about himself gives him no rights', async () => {
    const climber = await app.user('climber', { user_metadata: { department: 'support' } })
    assert.deepEqual(ok(await climber.client.from('tickets').select()), [])
  })
})
