// Rows that change, as they change, to those who may see them.
//
// That something does not come is shown by what comes next: events keep their order.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { follow } from './support/channels.mjs'
import { ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const service = app.service()

let ada, bob
before(async () => ([ada, bob] = [await app.user('ada'), await app.user('bob')]))

const say = async (who, room, body) =>
  ok(await who.client.from('messages').insert({ room, body }).select().single(), 201)
const post = async (room, body) => ok(await service.from('messages').insert({ room, body }).select().single(), 201)
const bodyOf = (event) => event.new.body

describe('what is told', () => {
  test('an insert, with the whole row', async () => {
    const inbox = await follow(app.service(), 'insert', { table: 'messages' })
    const row = await post('den', 'first')
    const event = await inbox.next()
    assert.deepEqual([event.schema, event.table, event.eventType], ['public', 'messages', 'INSERT'])
    assert.ok(Math.abs(Date.parse(event.commit_timestamp) - Date.now()) < 600_000, event.commit_timestamp)
    assert.equal(event.errors, null)
    assert.deepEqual(event.old, {})
    const { created_at: created, ...rest } = event.new
    assert.deepEqual(rest, { id: row.id, room: 'den', sender_id: null, body: 'first', likes: 0, edited_at: null })
    assert.equal(Date.parse(created), Date.parse(row.created_at))
  })

  test('an update, and which row it was; a delete', async () => {
    const row = await post('den', 'before')
    const inbox = await follow(app.service(), 'update', { table: 'messages' })
    ok(await service.from('messages').update({ body: 'after', likes: 3 }).eq('id', row.id))
    const update = await inbox.next()
    assert.equal(update.eventType, 'UPDATE')
    assert.deepEqual([update.new.id, update.new.body, update.new.likes], [row.id, 'after', 3])
    assert.equal(update.old.id, row.id)
    ok(await service.from('messages').delete().eq('id', row.id))
    const gone = await inbox.next()
    assert.equal(gone.eventType, 'DELETE')
    assert.deepEqual(gone.new, {})
    assert.equal(gone.old.id, row.id)
  })

  test('each row of a request, in order, once', async () => {
    const inbox = await follow(app.service(), 'bulk', { table: 'messages' })
    const bodies = Array.from({ length: 20 }, (_, n) => `bulk ${n}`)
    ok(await service.from('messages').insert(bodies.map((body) => ({ room: 'den', body }))))
    const last = await post('den', 'after the bulk')
    const seen = []
    for (;;) {
      const event = await inbox.next()
      if (event.new.id === last.id) break
      seen.push(bodyOf(event))
    }
    assert.deepEqual(seen, bodies)
  })

  test('nothing of a request that failed', async () => {
    const inbox = await follow(app.service(), 'failed', { table: 'messages' })
    const result = await service.from('messages').insert([{ room: 'den', body: 'half' }, { room: 'den', body: null }])
    assert.equal(result.error.code, '23502')
    await post('den', 'whole')
    assert.equal(bodyOf(await inbox.next()), 'whole')
  })
})

describe('what is asked for', () => {
  test('one kind of event', async () => {
    const inbox = await follow(app.service(), 'kind', { table: 'messages', event: 'UPDATE' })
    const row = await post('den', 'x')
    ok(await service.from('messages').update({ body: 'y' }).eq('id', row.id))
    assert.equal((await inbox.next()).eventType, 'UPDATE')
  })

  test('rows that a filter keeps', async () => {
    const filters = {
      'room=eq.attic': { room: 'attic', body: 'eq' },
      'room=neq.den': { room: 'cellar', body: 'neq' },
      'likes=gt.5': { room: 'den', body: 'gt', likes: 6 },
      'likes=lte.-1': { room: 'den', body: 'lte', likes: -1 },
      'room=in.(barn,loft)': { room: 'loft', body: 'in' },
    }
    for (const [filter, row] of Object.entries(filters)) {
      const inbox = await follow(app.service(), `filter ${row.body}`, { table: 'messages', filter })
      await post('den', 'not this one')
      ok(await service.from('messages').insert(row))
      assert.equal(bodyOf(await inbox.next()), row.body, filter)
    }
  })

  test('an update is judged by what the row is now', async () => {
    const row = await post('den', 'wanders')
    const inbox = await follow(app.service(), 'wanders', { table: 'messages', filter: 'room=eq.stable' })
    ok(await service.from('messages').update({ room: 'stable' }).eq('id', row.id))
    const event = await inbox.next()
    assert.deepEqual([event.eventType, event.new.room], ['UPDATE', 'stable'])
  })

  test('several wishes on one channel', async () => {
    const inbox = await follow(
      app.service(),
      'several',
      { table: 'messages', event: 'INSERT', filter: 'room=eq.one' },
      { table: 'messages', event: 'DELETE' },
    )
    const [two, one] = [await post('two', '2'), await post('one', '1')]
    const first = await inbox.next()
    assert.deepEqual([first.eventType, first.new.id], ['INSERT', one.id])
    ok(await service.from('messages').delete().eq('id', two.id))
    const second = await inbox.next()
    assert.deepEqual([second.eventType, second.old.id], ['DELETE', two.id])
  })

  test('nothing after one has left', async () => {
    const client = app.service()
    const stays = await follow(client, 'stays', { table: 'messages' })
    const leaves = await follow(client, 'leaves', { table: 'messages' })
    const channel = client.getChannels().find((one) => one.topic === 'realtime:leaves')
    assert.equal(await client.removeChannel(channel), 'ok')
    await post('den', 'who is left')
    assert.equal(bodyOf(await stays.next()), 'who is left')
    assert.deepEqual(leaves.left, [])
  })
})

describe('policies', () => {
  test('everybody gets what he may read, and nothing else', async () => {
    const inboxes = await Promise.all([
      follow(ada.client, 'p-ada', { table: 'messages' }),
      follow(bob.client, 'p-bob', { table: 'messages' }),
      follow(app.anon(), 'p-anon', { table: 'messages' }),
    ])
    const [hers, his, anybodys] = inboxes
    await say(ada, 'den', 'ada to herself')
    await say(bob, 'den', 'bob to himself')
    await say(ada, 'lobby', 'ada to all')
    assert.deepEqual([bodyOf(await hers.next()), bodyOf(await hers.next())], ['ada to herself', 'ada to all'])
    assert.deepEqual([bodyOf(await his.next()), bodyOf(await his.next())], ['bob to himself', 'ada to all'])
    assert.equal(bodyOf(await anybodys.next()), 'ada to all')
  })

  test('a filter does not open what a policy closes', async () => {
    const inbox = await follow(bob.client, 'p-filter', { table: 'messages', filter: `sender_id=eq.${ada.id}` })
    await say(ada, 'den', 'not for bob')
    await say(ada, 'lobby', 'for bob too')
    assert.equal(bodyOf(await inbox.next()), 'for bob too')
  })

  test('an update that takes a row out of sight is not told', async () => {
    const row = await say(ada, 'lobby', 'in sight')
    const inbox = await follow(app.anon(), 'p-update', { table: 'messages', event: 'UPDATE' })
    ok(await ada.client.from('messages').update({ room: 'den', body: 'out of sight' }).eq('id', row.id))
    const other = await say(ada, 'lobby', 'another')
    ok(await ada.client.from('messages').update({ likes: 1 }).eq('id', other.id))
    assert.equal(bodyOf(await inbox.next()), 'another')
  })

  test('a delete of a row one could not see is not told', async () => {
    const [hidden, open] = [await say(ada, 'den', 'hidden'), await say(ada, 'lobby', 'open')]
    const inbox = await follow(bob.client, 'p-delete', { table: 'messages', event: 'DELETE' })
    ok(await ada.client.from('messages').delete().eq('id', hidden.id))
    ok(await ada.client.from('messages').delete().eq('id', open.id))
    assert.equal((await inbox.next()).old.id, open.id)
  })

  test('signing in on an open connection changes what one sees', async () => {
    const client = app.anon()
    await follow(client, 'p-early', { table: 'messages' })
    ok(await client.auth.signInWithPassword({ email: bob.email, password: bob.password }))
    const inbox = await follow(client, 'p-late', { table: 'messages' })
    await say(bob, 'den', 'bob again')
    assert.equal(bodyOf(await inbox.next()), 'bob again')
  })
})
