// Channels of the official client, as promises.

import { Inbox } from './events.mjs'

/**
 * Subscribes and waits until the server says that it follows the database
 * (`changes`), or that one has joined. Fails with the client's error.
 */
export function join(channel, { changes = false, patience = 120_000 } = {}) {
  return new Promise((resolve, reject) => {
    const missing = new Set(changes ? ['subscribed', 'following'] : ['subscribed'])
    const timer = setTimeout(() => reject(new Error(`no ${[...missing].join(' and ')} within ${patience} ms`)), patience)
    const got = (what) => {
      missing.delete(what)
      if (missing.size > 0) return
      clearTimeout(timer)
      resolve(channel)
    }
    channel.on('system', {}, (message) => {
      if (message.extension !== 'postgres_changes') return
      if (message.status === 'ok') got('following')
      else reject(new Error(`system message: ${JSON.stringify(message)}`))
    })
    channel.subscribe((status, error) => {
      if (status === 'SUBSCRIBED') got('subscribed')
      else reject(new Error(`${status}: ${error?.message ?? 'no reason given'}`))
    })
  })
}

/** Follows tables with a client: the inbox of what it is told. */
export async function follow(client, name, ...filters) {
  const inbox = new Inbox()
  const channel = client.channel(name)
  for (const filter of filters) {
    channel.on('postgres_changes', { event: '*', schema: 'public', ...filter }, (payload) => inbox.put(payload))
  }
  await join(channel, { changes: true })
  return inbox
}

/** Listens to broadcasts: `{ channel, inbox }`. */
export async function listen(client, name, config = {}) {
  const inbox = new Inbox()
  const channel = client.channel(name, { config })
  channel.on('broadcast', { event: '*' }, (message) => inbox.put(message))
  await join(channel)
  return { channel, inbox }
}
