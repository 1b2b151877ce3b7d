// Whoever tries too often is told to stop. Every test here uses up what its route lets through.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { refuses } from './support/expect.mjs'

const app = await startApp({
  config: { 'auth.rate_limit.sign_in_sign_ups': 5, 'auth.rate_limit.token_refresh': 5 },
})
after(() => app.stop())

const LIMITED = { code: 429, error_code: 'over_request_rate_limit', msg: 'Request rate limit reached' }

/** Asks until it is refused. GoTrue lets a burst of 30 through before it counts. */
async function untilLimited(send) {
  assert.notEqual((await send(0)).status, 429, 'the very first request was refused')
  for (let n = 1; n < 60; n += 1) {
    const reply = await send(n)
    if (reply.status === 429) return reply
  }
  throw new Error('60 requests, and none was refused')
}

test('guessing passwords comes to an end, from whatever address the caller says he is', async () => {
  const { email, password } = { email: 'nobody@example.com', password: 'wrong password' }
  const signIn = (headers) =>
    app.auth('/token?grant_type=password', { method: 'POST', json: { email, password }, headers })
  refuses(await untilLimited(() => signIn()), 429, LIMITED)
  const forged = [1, 2, 3].map((n) => signIn({ 'x-forwarded-for': `203.0.113.${n}`, 'x-real-ip': `203.0.113.${n}` }))
  assert.deepEqual((await Promise.all(forged)).map((reply) => reply.status), [429, 429, 429])
})

test('signing up comes to an end', async () => {
  const signUp = (n) =>
    app.auth('/signup', { method: 'POST', json: { email: `robot-${n}@example.com`, password: 'weak' } })
  refuses(await untilLimited(signUp), 429, LIMITED)
})
