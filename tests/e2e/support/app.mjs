// One running app for a test file: a project, a gateway on it, clients and users.

import { randomUUID } from 'node:crypto'

import { createClient } from '@supabase/supabase-js'
import WebSocket from 'ws'

import { startGateway } from './gateway.mjs'
import { createProject } from './project.mjs'
import { rawRequests } from './raw.mjs'

/** Starts a project (see `createProject` for the options) with its own gateway. */
export async function startApp(options) {
  const project = await createProject(options)
  try {
    return new App(project, await startGateway(project.folder))
  } catch (error) {
    await project.remove()
    throw error
  }
}

class App {
  #clients = []
  #gateway

  constructor(project, gateway) {
    this.project = project
    this.backend = project.backend
    this.folder = project.folder
    this.#use(gateway)
  }

  #use(gateway) {
    this.#gateway = gateway
    this.url = gateway.api_url
    this.anonKey = gateway.anon_key
    this.serviceKey = gateway.service_role_key
    this.jwtSecret = gateway.jwt_secret
    this.pid = gateway.pid
    Object.assign(this, rawRequests(this.url, this.anonKey))
  }

  /** A client with a key of its own choice; `token` signs every request as somebody else. */
  client(key = this.anonKey, { token, realtime } = {}) {
    const client = createClient(this.url, key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      // By itself it gives a join up after ten seconds.
      realtime: { transport: WebSocket, timeout: 120_000, ...realtime },
      ...(token && { accessToken: async () => token }),
    })
    this.#clients.push(client)
    return client
  }

  anon(options) {
    return this.client(this.anonKey, options)
  }

  service(options) {
    return this.client(this.serviceKey, options)
  }

  /** A new user, confirmed and signed in: `{ id, email, password, client, session, token }`. */
  async user(name = 'user', attributes = {}, options = {}) {
    const email = `${name}-${randomUUID()}@example.com`
    const password = `password of ${name}`
    const created = await this.service().auth.admin.createUser({ email, password, email_confirm: true, ...attributes })
    if (created.error) throw created.error
    const client = this.anon(options)
    const signedIn = await client.auth.signInWithPassword({ email, password })
    if (signedIn.error) throw signedIn.error
    const session = signedIn.data.session
    return { id: created.data.user.id, email, password, client, session, token: session.access_token }
  }

  log() {
    return this.#gateway.log()
  }

  async disconnect() {
    await Promise.all(this.#clients.splice(0).map((client) => client.removeAllChannels()))
  }

  /** Ends the gateway with a signal (gracefully unless it is SIGKILL) and starts it again on the same folder. */
  async restart(signal = 'SIGTERM') {
    await this.disconnect()
    if (signal === 'SIGKILL') await this.#gateway.kill()
    else await this.#gateway.stop(signal)
    this.#use(await startGateway(this.folder))
  }

  async stop() {
    try {
      await this.disconnect()
      await this.#gateway.stop()
    } finally {
      await this.project.remove()
    }
  }
}
