// The Phoenix protocol by hand, in both versions that the server speaks.

import WebSocket from 'ws'

import { Inbox } from './events.mjs'

const PUSH = 3
const BROADCAST = 4
const JSON_PAYLOAD = 1

/** Opens a socket: `url` is the address of the API, `vsn` 1.0.0 or 2.0.0. Fails when it is not let in. */
export function connect(url, { apikey, vsn }) {
  const address = new URL(`${url.replace(/^http/, 'ws')}/realtime/v1/websocket`)
  if (apikey !== undefined) address.searchParams.set('apikey', apikey)
  address.searchParams.set('vsn', vsn)
  const socket = new WebSocket(address)
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(new Phoenix(socket, vsn)))
    socket.once('error', reject)
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      reject(new Error(`HTTP ${response.statusCode}`))
    })
  })
}

class Phoenix {
  #ref = 0

  constructor(socket, vsn) {
    this.socket = socket
    this.vsn = vsn
    this.inbox = new Inbox()
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)))
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => {
      this.inbox.put(isBinary ? decodeBroadcast(data) : this.#decode(JSON.parse(data.toString())))
    })
  }

  /** Sends a message and returns its reference. */
  push(topic, event, payload = {}, joinRef = null) {
    const ref = String((this.#ref += 1))
    const message =
      this.vsn === '1.0.0'
        ? { topic, event, payload, ref, join_ref: joinRef }
        : [joinRef, ref, topic, event, payload]
    this.socket.send(JSON.stringify(message))
    return ref
  }

  /** Sends a message and waits for its reply: `{ status, response }`. */
  async call(topic, event, payload, joinRef) {
    const ref = this.push(topic, event, payload, joinRef)
    const reply = await this.inbox.next((one) => one.event === 'phx_reply' && one.ref === ref, {
      what: `the reply to ${event}`,
    })
    return { ref, topic: reply.topic, ...reply.payload }
  }

  /** Joins a channel; the reference of the join goes with everything sent there later. */
  join(topic, config = {}, extra = {}) {
    const defaults = { broadcast: { self: false, ack: false }, presence: { enabled: false }, postgres_changes: [], private: false }
    return this.call(topic, 'phx_join', { config: { ...defaults, ...config }, ...extra })
  }

  /** A broadcast as clients of version 2 send it: one binary frame. */
  pushBroadcast(topic, joinRef, event, payload) {
    const ref = String((this.#ref += 1))
    const texts = [joinRef, ref, topic, event, ''].map((text) => Buffer.from(text))
    const header = Buffer.from([PUSH, ...texts.map((text) => text.length), JSON_PAYLOAD])
    this.socket.send(Buffer.concat([header, ...texts, Buffer.from(JSON.stringify(payload))]))
    return ref
  }

  next(event, matches = () => true) {
    return this.inbox.next((one) => one.event === event && matches(one), { what: `a ${event}` })
  }

  close() {
    this.socket.close()
    return this.closed
  }

  #decode(message) {
    if (this.vsn === '1.0.0') return message
    const [join_ref, ref, topic, event, payload] = message
    return { join_ref, ref, topic, event, payload }
  }
}

/** Frame 4: how the server passes a broadcast on to clients of version 2. */
function decodeBroadcast(data) {
  const [kind, topicLength, eventLength, metadataLength, encoding] = data
  if (kind !== BROADCAST) throw new Error(`a binary frame of kind ${kind}`)
  let at = 5
  const take = (length) => data.subarray(at, (at += length)).toString()
  const [topic, event] = [take(topicLength), take(eventLength)]
  take(metadataLength)
  const body = data.subarray(at)
  const payload = encoding === JSON_PAYLOAD ? JSON.parse(body.toString()) : body
  return { topic, event: 'broadcast', ref: null, payload: { type: 'broadcast', event, payload }, frame: kind }
}
