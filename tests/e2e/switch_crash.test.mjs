// The gateway killed in the middle of a switch, and after it.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
const SLOW = '[layers.faults]\nrules = [{ operations = ["database.apply", "database.load"], latency = "200ms" }]\n'

/** From the next start on a copy takes so long that it can be hit, or no longer than it needs. */
function copySlowly(slowly) {
  const file = join(app.folder, 'truststream.toml')
  const others = readFileSync(file, 'utf8').replace(SLOW, '')
  writeFileSync(file, slowly ? others + SLOW : others)
}

const status = () => truststream(app.folder, 'status')
const count = async () => (await app.service().from('feedback').select('*', { count: 'exact', head: true })).count
const progress = async () => (await truststream(app.folder, 'switch', 'status')).progress
const copying = (rows) =>
  eventually(async () => (await progress())?.rows_done >= rows, { pause: 5, patience: 300_000, what: `copying row ${rows}` })
const reached = (phase) =>
  eventually(async () => (await status()).switch.phase === phase, { pause: 50, patience: 600_000, what: phase })

before(async () => {
  for (let n = 0; n < ROWS; n += 2_000) {
    const rows = Array.from({ length: 2_000 }, (_, i) => ({ message: `message ${n + i}` }))
    ok(await app.service().from('feedback').insert(rows))
  }
})

describe('killed', () => {
  test('while copying: it goes on from where it stood, and commits', async () => {
    copySlowly(true)
    await app.restart()
    await truststream(app.folder, 'switch', 'start', 'cloud', '--chunk', '100', '--detach')
    await copying(2_000)
    copySlowly(false)
    await app.restart('SIGKILL')
    ok(await app.service().from('feedback').insert({ message: 'it goes on' }))
    await reached('committed')
    const { record } = await truststream(app.folder, 'switch', 'status')
    const copied = record.history.filter(([phase]) => phase === 'copying')
    assert.equal(copied.length, 2, 'the copy was entered once more')
    // Begun anew it would have copied what was there before the kill a second time.
    assert.ok(record.report.rows < ROWS + 2_000, `${record.report.rows} rows copied`)
    assert.equal((await status()).route.owner, 'cloud')
    assert.equal(await count(), ROWS + 1)
    await truststream(app.folder, 'switch', 'back')
    await truststream(app.folder, 'switch', 'finalize')
    assert.equal(await count(), ROWS + 1)
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
    await truststream(app.folder, 'switch', 'finalize')
  })
})

describe('stopped by the operator', () => {
  test('paused, it copies nothing, not even after a restart; resumed, it goes on', async () => {
    copySlowly(true)
    await app.restart()
    await truststream(app.folder, 'switch', 'start', 'cloud', '--chunk', '100', '--detach')
    await copying(1_000)
    await truststream(app.folder, 'switch', 'pause')
    await app.restart('SIGKILL')
    const before = (await truststream(app.folder, 'switch', 'status')).record
    assert.deepEqual([before.phase, before.paused], ['copying', true])
    ok(await app.service().from('feedback').insert({ message: 'while paused' }))
    const after = (await truststream(app.folder, 'switch', 'status')).record
    assert.equal(after.report.rows, before.report.rows)
    await truststream(app.folder, 'switch', 'resume', '--detach')
    await copying(before.report.rows + 1_000)
  })

  test('aborted, it leaves the source as it was and can be begun again', async () => {
    const record = await truststream(app.folder, 'switch', 'abort')
    assert.equal(record.record.phase, 'aborted')
    assert.deepEqual([(await status()).route.owner, await count()], ['main', ROWS + 4])
  })

  test('an immediate switch holds writes first', async () => {
    const { record } = await truststream(app.folder, 'switch', 'start', 'cloud', '--strategy', 'immediate')
    assert.equal(record.phase, 'committed')
    assert.equal(record.report.changes, 0)
    assert.deepEqual([(await status()).route.owner, await count()], ['cloud', ROWS + 4])
    ok(await app.service().from('feedback').insert({ message: 'on the new side' }))
  })
})

describe('compared at any time', () => {
  const verify = (...more) => truststream(app.folder, 'verify', 'cloud', 'main', ...more)
  const feedback = (tables) => tables.find(({ table }) => table.name === 'feedback')

  test('the side that is kept in sync is equal', async () => {
    const { rows, source, target } = feedback(await verify())
    assert.deepEqual([rows, source], [ROWS + 5, target])
  })

  test('a row changed where no feed sees it is named, and repaired on request', async () => {
    // Without its triggers a table is not captured.
    cloud.run(`alter table feedback disable trigger all;
      update feedback set message = 'aside' where id = (select min(id) from feedback)`)
    await assert.rejects(verify(), /BACKEND_009.*public\.feedback: 1 rows \(id=\d+\)/s)
    const { source, target } = feedback(await verify('--repair'))
    assert.equal(source, target)
    const { rows } = feedback(await verify('--sample'))
    assert.ok(rows > ROWS / 64 && rows < ROWS / 4, `${rows} rows in the sample`)
  })
})
