// An authenticator app, as users have it on their telephones (RFC 6238).

import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const STEP = 30_000
// For so long the last half minute's code must still be right.
const ON_ITS_WAY = 10_000

/** The app of one secret. Each of its codes is given out once. */
export function authenticator(secret) {
  const bits = [...secret].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))
  let given = 0

  const code = (step) => {
    const counter = Buffer.alloc(8)
    counter.writeBigUInt64BE(BigInt(step))
    const mac = createHmac('sha1', key).update(counter).digest()
    const number = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff
    return String(number % 1_000_000).padStart(6, '0')
  }

  return {
    /** A code that is right and was not given out before; those of the next half minute count too. */
    async code() {
      const earliest = Math.floor((Date.now() + ON_ITS_WAY) / STEP) - 1
      given = Math.max(given + 1, earliest)
      while (given > Math.floor(Date.now() / STEP) + 1) await sleep(100)
      return code(given)
    },
    /** A code that is not right for minutes. */
    wrong() {
      const right = new Set(Array.from({ length: 20 }, (_, n) => code(Math.floor(Date.now() / STEP) - 5 + n)))
      return Array.from({ length: 30 }, (_, n) => String(n).padStart(6, '0')).find((one) => !right.has(one))
    },
  }
}
