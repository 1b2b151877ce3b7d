// Messages from client to client, past the database.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { join, listen } from './support/channels.mjs'
import { answers } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())

const send = (channel, event, payload) => channel.send({ type: 'broadcast', event, payload })

describe('broadcast', () => {
  test('reaches the others on the channel, whole', async () => {
    const [one, two] = [await listen(app.anon(), 'room'), await listen(app.anon(), 'room')]
    const payload = { text: 'grüße 🎷', nested: { list: [1, null, { deep: true }] }, n: 0.5 }
    assert.equal(await send(one.channel, 'hello', payload), 'ok')
    const message = await two.inbox.next()
    assert.equal(message.type, 'broadcast')
    assert.equal(message.event, 'hello')
    assert.deepEqual(message.payload, payload)
  })

  test('not oneself, unless one wants it', async () => {
    const quiet = await listen(app.anon(), 'echo-off')
    const other = await listen(app.anon(), 'echo-off')
    await send(quiet.channel, 'm', { n: 1 })
    await other.inbox.next()
    await send(other.channel, 'm', { n: 2 })
    assert.deepEqual((await quiet.inbox.next()).payload, { n: 2 })

    const loud = await listen(app.anon(), 'echo-on', { broadcast: { self: true } })
    await send(loud.channel, 'm', { n: 3 })
    assert.deepEqual((await loud.inbox.next()).payload, { n: 3 })
  })

  test('acknowledged, when one wants to know', async () => {
    const { channel } = await listen(app.anon(), 'ack', { broadcast: { ack: true } })
    assert.equal(await send(channel, 'm', { n: 1 }), 'ok')
  })

  test('in order', async () => {
    const [from, to] = [await listen(app.anon(), 'order'), await listen(app.anon(), 'order')]
    for (let n = 0; n < 50; n += 1) send(from.channel, 'count', { n })
    for (let n = 0; n < 50; n += 1) assert.deepEqual((await to.inbox.next()).payload, { n })
  })

  test('bytes stay bytes', async () => {
    const [from, to] = [await listen(app.anon(), 'bytes'), await listen(app.anon(), 'bytes')]
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n)
    await send(from.channel, 'raw', bytes.buffer)
    assert.deepEqual(new Uint8Array((await to.inbox.next()).payload), bytes)
  })

  test('stays on its channel', async () => {
    const [here, there, from] = [
      await listen(app.anon(), 'here'),
      await listen(app.anon(), 'there'),
      await listen(app.anon(), 'here'),
    ]
    const other = app.anon().channel('there')
    await join(other)
    await send(from.channel, 'm', { to: 'here' })
    await send(other, 'm', { to: 'there' })
    assert.deepEqual((await here.inbox.next()).payload, { to: 'here' })
    assert.deepEqual((await there.inbox.next()).payload, { to: 'there' })
    assert.deepEqual(here.inbox.left, [])
  })

  test('one client on several channels', async () => {
    const client = app.anon()
    const [a, b] = [await listen(client, 'multi-a'), await listen(client, 'multi-b')]
    const sender = await listen(app.anon(), 'multi-b')
    await send(sender.channel, 'm', { n: 1 })
    assert.deepEqual((await b.inbox.next()).payload, { n: 1 })
    assert.deepEqual(a.inbox.left, [])
  })

  test('between clients of both versions of the protocol', async () => {
    const old = await listen(app.anon({ realtime: { vsn: '1.0.0' } }), 'versions')
    const recent = await listen(app.anon({ realtime: { vsn: '2.0.0' } }), 'versions')
    await send(old.channel, 'from-old', { n: 1 })
    assert.deepEqual((await recent.inbox.next()).payload, { n: 1 })
    await send(recent.channel, 'from-recent', { n: 2 })
    assert.deepEqual((await old.inbox.next()).payload, { n: 2 })
  })

  test('over HTTP', async () => {
    const { inbox } = await listen(app.anon(), 'by-post')
    const messages = [
      { topic: 'by-post', event: 'one', payload: { n: 1 } },
      { topic: 'by-post', event: 'two', payload: { n: 2 } },
    ]
    answers(await app.ask('/realtime/v1/api/broadcast', { method: 'POST', json: { messages } }), 202)
    assert.deepEqual([(await inbox.next()).event, (await inbox.next()).event], ['one', 'two'])
  })
})

describe('private channels', () => {
  test('nobody is let in while no policy says so', async () => {
    const user = await app.user('hopes')
    for (const client of [app.anon(), user.client]) {
      await assert.rejects(join(client.channel('secret', { config: { private: true } })), /CHANNEL_ERROR/)
    }
  })
})
