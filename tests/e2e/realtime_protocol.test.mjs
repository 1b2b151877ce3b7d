// What goes over the socket, message by message, in both versions of the protocol.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { ok } from './support/expect.mjs'
import { now, sign, tamper, unsigned } from './support/jwt.mjs'
import { connect } from './support/phoenix.mjs'

const app = await startApp()
const sockets = []
after(async () => {
  await Promise.all(sockets.map((one) => one.close()))
  await app.stop()
})

async function open(vsn, apikey = app.anonKey) {
  const socket = await connect(app.url, { apikey, vsn })
  sockets.push(socket)
  return socket
}

const post = async (values) =>
  ok(await app.service().from('messages').insert({ room: 'lobby', ...values }).select().single(), 201)

const noFeed = app.backend === 'supabase' && 'a data API has no ordered feed of changes'

for (const vsn of ['1.0.0', '2.0.0']) {
  describe(`version ${vsn}`, () => {
    test('heartbeat', async () => {
      const socket = await open(vsn)
      const reply = await socket.call('phoenix', 'heartbeat', {})
      assert.deepEqual([reply.topic, reply.status, reply.response], ['phoenix', 'ok', {}])
    })

    test('join: the wishes come back in their order, each with an id', { skip: noFeed }, async () => {
      const socket = await open(vsn)
      const wishes = [
        { event: 'INSERT', schema: 'public', table: 'messages', filter: 'room=eq.lobby' },
        { event: '*', schema: 'public', table: 'messages' },
      ]
      const topic = `realtime:join-${vsn}`
      const { status, response } = await socket.join(topic, { postgres_changes: wishes })
      assert.equal(status, 'ok')
      const returned = response.postgres_changes.map(({ id: _, ...wish }) => wish)
      assert.deepEqual(returned, wishes)
      const [first, second] = response.postgres_changes.map(({ id }) => id)
      assert.equal(typeof first, 'number')
      assert.notEqual(first, second)
      const system = await socket.next('system')
      assert.equal(system.topic, topic)
      const { extension, status: state, channel } = system.payload
      assert.deepEqual([extension, state, channel], ['postgres_changes', 'ok', `join-${vsn}`])
      assert.equal(typeof system.payload.message, 'string')
    })

    test('a change names the wishes that it answers', { skip: noFeed }, async () => {
      const socket = await open(vsn)
      const topic = `realtime:change-${vsn}`
      const { response } = await socket.join(topic, {
        postgres_changes: [
          { event: '*', schema: 'public', table: 'messages', filter: `body=eq.${vsn}` },
          { event: 'DELETE', schema: 'public', table: 'messages' },
        ],
      })
      await socket.next('system', (one) => one.payload.status === 'ok')
      const row = await post({ body: vsn })
      const { topic: at, payload } = await socket.next('postgres_changes')
      assert.equal(at, topic)
      assert.deepEqual(payload.ids, [response.postgres_changes[0].id])
      const { type, schema, table, record, errors, columns, commit_timestamp: when } = payload.data
      assert.deepEqual([type, schema, table, errors], ['INSERT', 'public', 'messages', null])
      assert.deepEqual([record.id, record.body], [row.id, vsn])
      assert.ok(Date.parse(when) > 0, when)
      const types = Object.fromEntries(columns.map((column) => [column.name, column.type]))
      assert.deepEqual([types.id, types.room, types.sender_id, types.created_at], ['int8', 'text', 'uuid', 'timestamptz'])
    })

    test('without a feed, changes of rows are refused in words and the rest goes on', { skip: !noFeed }, async () => {
      const socket = await open(vsn)
      const topic = `realtime:none-${vsn}`
      const wishes = [{ event: '*', schema: 'public', table: 'messages' }]
      const { status, response } = await socket.join(topic, { postgres_changes: wishes })
      assert.equal(status, 'error')
      assert.match(response.reason, /does not support change_feed/)
      const other = await socket.join(`realtime:other-${vsn}`, { broadcast: { self: true } })
      assert.equal(other.status, 'ok')
    })

    test('broadcast, acknowledged and to oneself', async () => {
      const socket = await open(vsn)
      const topic = `realtime:echo-${vsn}`
      const { ref: joined } = await socket.join(topic, { broadcast: { self: true, ack: true } })
      const reply = await socket.call(topic, 'broadcast', { type: 'broadcast', event: 'e', payload: { n: 1 } }, joined)
      assert.equal(reply.status, 'ok')
      const echo = await socket.next('broadcast')
      assert.equal(echo.topic, topic)
      assert.deepEqual([echo.payload.type, echo.payload.event, echo.payload.payload], ['broadcast', 'e', { n: 1 }])
    })

    test('leave, and nothing more comes', async () => {
      const socket = await open(vsn)
      const topic = `realtime:leave-${vsn}`
      const { ref: joined } = await socket.join(topic, { broadcast: { self: true } })
      assert.equal((await socket.call(topic, 'phx_leave', {}, joined)).status, 'ok')
      socket.push(topic, 'broadcast', { type: 'broadcast', event: 'e', payload: {} }, joined)
      await socket.call('phoenix', 'heartbeat', {})
      assert.equal(socket.inbox.left.some((one) => one.event === 'broadcast'), false)
    })

    test('a topic that there is not', async () => {
      const socket = await open(vsn)
      const { status, response } = await socket.call('elsewhere:x', 'phx_join', {})
      assert.deepEqual([status, response], ['error', { reason: 'unmatched topic' }])
    })

    test('a wish for a column or a table that there is not', async () => {
      const wishes = [
        { event: '*', schema: 'public', table: 'messages', filter: 'nope=eq.1' },
        { event: '*', schema: 'public', table: 'nothing' },
      ]
      for (const wish of wishes) {
        const socket = await open(vsn)
        const { status } = await socket.join(`realtime:wish-${vsn}`, { postgres_changes: [wish] })
        if (status === 'ok') {
          const system = await socket.next('system')
          assert.equal(system.payload.status, 'error', JSON.stringify(wish))
        } else {
          assert.equal(status, 'error')
        }
      }
    })

    test('tokens that do not hold', async () => {
      const claims = { role: 'authenticated', sub: '00000000-0000-4000-8000-000000000000' }
      const tokens = {
        expired: sign({ ...claims, exp: now(-60) }, app.jwtSecret),
        'signed by somebody else': sign({ ...claims, exp: now(60) }, 'another secret of thirty-two letters'),
        unsigned: unsigned({ ...claims, exp: now(60) }),
        tampered: tamper(app.anonKey, { role: 'service_role' }),
      }
      for (const [what, access_token] of Object.entries(tokens)) {
        const socket = await open(vsn)
        const wish = { event: '*', schema: 'public', table: 'messages' }
        const { status } = await socket.join('realtime:token', { postgres_changes: [wish] }, { access_token })
        assert.equal(status, 'error', what)
      }
    })

    test('frames that are no message harm nobody', async () => {
      const good = await open(vsn)
      const texts = ['no json', '{}', '[]', '[1,2', 'null', '{"topic":1}']
      const bytes = [[3], [3, 255, 255, 255, 255, 255, 1, 2], [9, 9, 9]].map((one) => Buffer.from(one))
      for (const frame of [...texts, ...bytes]) {
        const bad = await open(vsn)
        bad.socket.send(frame)
      }
      const reply = await good.call('phoenix', 'heartbeat', {})
      assert.equal(reply.status, 'ok')
    })
  })
}

describe('between the versions', () => {
  test('a binary broadcast reaches the old version as text and the new one as a frame', async () => {
    const topic = 'realtime:mixed'
    const [old, recent, sender] = [await open('1.0.0'), await open('2.0.0'), await open('2.0.0')]
    await old.join(topic)
    await recent.join(topic)
    const { ref } = await sender.join(topic)
    sender.pushBroadcast(topic, ref, 'ping', { text: 'grüße' })
    const there = await recent.next('broadcast')
    assert.equal(there.frame, 4)
    assert.deepEqual([there.topic, there.payload.event, there.payload.payload], [topic, 'ping', { text: 'grüße' }])
    const text = await old.next('broadcast')
    assert.deepEqual([text.topic, text.payload.event, text.payload.payload], [topic, 'ping', { text: 'grüße' }])
  })
})

describe('the door', () => {
  test('a key that is none', async () => {
    for (const apikey of ['nonsense', tamper(app.anonKey, { role: 'service_role' })]) {
      await assert.rejects(connect(app.url, { apikey, vsn: '1.0.0' }), /HTTP 4\d\d/)
    }
  })
})
