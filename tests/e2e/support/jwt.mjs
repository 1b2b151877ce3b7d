// Access tokens of our own making, good and bad.

import { createHmac, timingSafeEqual } from 'node:crypto'

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Signs claims with HMAC; `header` and `algorithm` lie when a test wants them to. */
export function sign(claims, secret, { header = { alg: 'HS256', typ: 'JWT' }, hash = 'sha256' } = {}) {
  const text = `${encode(header)}.${encode(claims)}`
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`
}

/** A token that says it needs no signature. */
export function unsigned(claims, alg = 'none') {
  return `${encode({ alg, typ: 'JWT' })}.${encode(claims)}.`
}

export function decode(token) {
  const [header, claims] = token.split('.').slice(0, 2)
  return {
    header: JSON.parse(Buffer.from(header, 'base64url')),
    claims: JSON.parse(Buffer.from(claims, 'base64url')),
  }
}

/** The same signature under other claims. */
export function tamper(token, changes) {
  const [header, , signature] = token.split('.')
  return `${header}.${encode({ ...decode(token).claims, ...changes })}.${signature}`
}

export function isSignedWith(token, secret) {
  const [header, claims, signature] = token.split('.')
  const expected = createHmac('sha256', secret).update(`${header}.${claims}`).digest()
  const actual = Buffer.from(signature, 'base64url')
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

/** Seconds since 1970, moved by `offset`. */
export function now(offset = 0) {
  return Math.floor(Date.now() / 1000) + offset
}
