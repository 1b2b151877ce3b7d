// Where servers listen.

import { createConnection, createServer } from 'node:net'

// Below those that systems give to whoever asks for any: until a server listens, nobody gets its port by chance.
const FIRST = 15_000
const COUNT = 15_000

// Who listens here at a port has claimed the same one of 127.0.0.1, until its process ends: so do the tests in Rust
// and in Python.
const CLAIMS = '127.0.0.77'

export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (await claim(port)) return port
  }
}

async function claim(port) {
  const own = await listens(port, CLAIMS)
  if (own.failure && own.failure !== 'EADDRNOTAVAIL') return false
  own.server?.unref()
  const { server } = await listens(port, '127.0.0.1')
  if (server) await new Promise((resolve) => server.close(resolve))
  return Boolean(server)
}

function listens(port, host) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve({ failure: error.code }))
    server.listen(port, host, () => resolve({ server }))
  })
}

/** Waits for `ready` (what the server's log says, say), and for the port. False when the server gave up. */
export async function accepts(port, child, ready = () => true, patience = 120_000) {
  const until = Date.now() + patience
  while (child.exitCode === null && Date.now() < until) {
    if (ready() && (await connects(port))) return true
    await new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        child.stderr.off('data', wake)
        child.off('exit', wake)
        resolve()
      }
      const timer = setTimeout(wake, 100)
      child.stderr.once('data', wake)
      child.once('exit', wake)
    })
  }
  return false
}

function connects(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
