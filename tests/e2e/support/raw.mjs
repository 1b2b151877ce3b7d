// Requests as they go over the wire, for what a client library hides.

import { request as httpRequest } from 'node:http'

/**
 * `rest`, `auth` and `storage` ask below the folder of that service:
 * `rest('/products?id=eq.1', { method, token, headers, body, json })`.
 * Without `token` the request carries the anon key; `token: null` carries no key at all.
 */
export function rawRequests(url, anonKey) {
  const below = (folder) => (path, init) => ask(`${url}${folder}${path}`, init, anonKey)
  return {
    ask: below(''),
    rest: below('/rest/v1'),
    auth: below('/auth/v1'),
    storage: below('/storage/v1'),
    askPath: (path, init) => askPath(url, path, init, anonKey),
  }
}

async function ask(url, init = {}, anonKey) {
  const { method, headers, body } = wire(init, anonKey)
  const response = await fetch(url, { method, headers, body, redirect: 'manual' })
  return reply(response.status, response.headers, Buffer.from(await response.arrayBuffer()))
}

/** Sends the path byte for byte: `fetch` resolves `..` and `%2e%2e` before anybody sees them. */
function askPath(url, path, init = {}, anonKey) {
  const { hostname, port } = new URL(url)
  const { method, headers, body } = wire(init, anonKey)
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, method, headers }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        resolve(reply(response.statusCode, new Headers(flat(response.headers)), Buffer.concat(chunks)))
      })
    })
    request.once('error', reject)
    request.end(body)
  })
}

function wire({ method = 'GET', token, headers = {}, json, body }, anonKey) {
  const credentials = token === null ? {} : { apikey: anonKey, authorization: `Bearer ${token ?? anonKey}` }
  return {
    method,
    headers: { ...credentials, ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: json !== undefined ? JSON.stringify(json) : body,
  }
}

function reply(status, headers, bytes) {
  const text = bytes.toString('utf8')
  return {
    status,
    headers,
    bytes,
    text,
    header: (name) => headers.get(name),
    /** The body as JSON; fails with the text when it is none. */
    get json() {
      try {
        return JSON.parse(text)
      } catch {
        throw new Error(`status ${status}, not JSON: ${text.slice(0, 500)}`)
      }
    },
  }
}

function flat(headers) {
  return Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
}
