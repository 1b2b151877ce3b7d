// Where servers listen.

import { createConnection, createServer } from 'node:net'

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Waits for `ready` (what the server's log says, say), and for the port. False when the server gave up. */
export async function accepts(port, child, ready = () => true, patience = 20_000) {
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
