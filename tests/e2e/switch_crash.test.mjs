// The gateway killed in the middle of a switch, and after it.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { truststream } from './support/cli.mjs'
import { ok } from './support/expect.mjs'
import { startPostgres } from './support/postgres.mjs'
import { eventually } from './support/waiting.mjs'

const cloud = await startPostgres()
after(() => cloud.stop())
const app = await startApp({
  settings: `
[backend.cloud]
database = { provider = "postgres", url = "${cloud.url}" }
storage = { provider = "fs", root = "cloud-objects" }
`,
})
after(() => app.stop())

const ROWS = 20_000
const status = () => truststream(app.folder, 'status')
const count = async () => (await app.service().from('feedback').select('*', { count: 'exact', head: true })).count

before(async () => {
  for (let n = 0; n < ROWS; n += 2_000) {
    const rows = Array.from({ length: 2_000 }, (_, i) => ({ message: `message ${n + i}` }))
    ok(await app.service().from('feedback').insert(rows))
  }
})

describe('killed', () => {
  test('while copying: it is given up, and nothing has changed', async () => {
    // Small chunks make the copy last long enough to be hit.
    await truststream(app.folder, 'switch', 'start', 'cloud', '--chunk', '20', '--detach')
    await eventually(async () => (await status()).switch.phase === 'copying', { pause: 5, what: 'copying' })
    await app.restart('SIGKILL')
    const { route, switch: record } = await status()
    assert.deepEqual([route.owner, route.fenced, record.phase], ['main', false, 'aborted'])
    assert.equal(await count(), ROWS)
    ok(await app.service().from('feedback').insert({ message: 'it goes on' }))
  })

  test('after the flip: the new side serves on, and the way back is open', async () => {
    const { record } = await truststream(app.folder, 'switch', 'start', 'cloud')
    assert.equal(record.phase, 'committed')
    ok(await app.service().from('feedback').insert({ message: 'on the new side' }))
    await app.restart('SIGKILL')
    assert.equal((await status()).route.owner, 'cloud')
    ok(await app.service().from('feedback').insert({ message: 'after the restart' }))
    await truststream(app.folder, 'switch', 'back')
    assert.equal((await status()).route.owner, 'main')
    assert.equal(await count(), ROWS + 3)
  })
})
