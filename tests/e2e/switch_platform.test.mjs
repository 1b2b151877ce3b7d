// Moving a running app to a hosted project with its files and back: the platform keeps the bytes, and writes the
// rows of what is uploaded.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { UNHURRIED, startPlatform } from './support/backends.mjs'
import { truststream } from './support/cli.mjs'
import { column, ok } from './support/expect.mjs'
import { movesThereAndBack } from './support/moving.mjs'
import { eventually } from './support/waiting.mjs'

await movesThereAndBack('platform')

describe('files of a project that is joined and left', () => {
  let app, cloud, files, platform
  before(async () => {
    cloud = await startPlatform()
    app = await startApp({
      settings: `
[backend.cloud]
database = { provider = "postgres", url = "${cloud.url}", ${UNHURRIED.postgres} }
storage = ${cloud.storage}
[backend.home]
database = { provider = "sqlite", path = "home.db" }
storage = { provider = "fs", root = "home-objects" }
[backend.mixed]
database = { provider = "sqlite", path = "mixed.db" }
storage = ${cloud.storage}
`,
    })
    files = app.service().storage.from('vault')
    for (let n = 0; n < 30; n += 1) await put(files, `a/${n}.txt`, `first ${n}`)
  })
  after(async () => {
    await app?.stop()
    await cloud?.stop()
  })

  const put = async (where, name, text) =>
    ok(await where.upload(name, text, { contentType: 'text/plain', cacheControl: '60', upsert: true }))
  const text = async (name) => ok(await files.download(name)).text()
  const names = async (folder) => column(ok(await files.list(folder, { limit: 1000 })), 'name').sort()
  const switching = (...words) => truststream(app.folder, 'switch', ...words)

  /** A request to the platform itself, as its own clients make them. */
  function ask(method, path, body, type = 'text/plain') {
    const { api_url: url, service_role_key: key } = cloud.gateway
    return fetch(`${url}/storage/v1/object/${path}`, {
      method,
      body,
      headers: { authorization: `Bearer ${key}`, 'content-type': type, 'x-upsert': 'true' },
    })
  }
  const kept = async (name) => {
    const reply = await ask('GET', `authenticated/vault/${name}`)
    return reply.ok ? reply.text() : null
  }

  /** Overwrites, renames and removes files until told to stop. */
  function worker(folder) {
    const state = { stop: false, texts: new Map() }
    state.done = (async () => {
      for (let n = 0; !state.stop; n += 1) {
        const name = `${folder}/${n % 7}.txt`
        await put(files, name, `${folder} ${n}`)
        state.texts.set(name, `${folder} ${n}`)
        if (n % 5 === 4) {
          ok(await files.remove([name]))
          state.texts.delete(name)
        } else if (n % 5 === 3) {
          const other = `${folder}/moved-${n}.txt`
          ok(await files.move(name, other))
          state.texts.delete(name)
          state.texts.set(other, `${folder} ${n}`)
        }
      }
    })()
    return state
  }

  async function asWritten({ texts }, folder) {
    assert.deepEqual(await names(folder), [...texts.keys()].map((name) => name.slice(folder.length + 1)).sort())
    for (const [name, written] of texts) assert.equal(await text(name), written, name)
  }

  test('a database that does not know the files of its storage is told', async () => {
    const { problems } = await switching('plan', 'mixed')
    assert.match(problems.map(({ reason }) => reason).join(), /other buckets than its database|rows its database does not have/)
  })

  test('joining, while files are overwritten, renamed and removed', async () => {
    const work = worker('joining')
    const { record } = await switching('start', 'cloud')
    work.stop = true
    await work.done
    assert.equal(record.phase, 'committed')
    await asWritten(work, 'joining')
    for (const [name, written] of work.texts) assert.equal(await kept(name), written, name)
    assert.equal(await kept('a/29.txt'), 'first 29')
    const { metadata } = ok(await files.list('a', { search: '29.txt' }))[0]
    assert.deepEqual([metadata.mimetype, metadata.cacheControl, metadata.size], ['text/plain', 'max-age=60', 8])
  })

  test('what is written there comes back, and leaves nothing behind', async () => {
    const work = worker('back')
    await put(files, 'a/0.txt', 'second 0')
    ok(await files.remove(['a/1.txt']))
    const { record } = await switching('back')
    work.stop = true
    await work.done
    assert.equal(record.phase, 'rolled_back')
    await asWritten(work, 'back')
    assert.equal(await text('a/0.txt'), 'second 0')
    assert.equal((await names('a')).length, 29)
    await switching('finalize')
  })

  test('given up or killed while files are on their way: none is left there, or all get there, each once', async () => {
    const config = join(app.folder, 'truststream.toml')
    const as = readFileSync(config, 'utf8')
    writeFileSync(config, `${as}\n[layers.faults]\nrules = [{ operations = ["storage.upload"], latency = "100ms" }]\n`)
    await app.restart()
    const there = async () => (await (await ask('POST', 'list/vault', '{"prefix":"a","limit":100}', 'application/json')).json()).length
    const onTheWay = async () => {
      await switching('start', 'cloud', '--detach')
      await eventually(async () => (await there()) > 3, { pause: 5 })
      assert.ok((await there()) < 29)
    }
    await onTheWay()
    await switching('abort')
    assert.ok(!((await there()) > 0))
    await onTheWay()
    writeFileSync(config, as)
    await app.restart('SIGKILL')
    files = app.service().storage.from('vault')
    await eventually(async () => (await truststream(app.folder, 'status')).switch.phase === 'committed')
    const { report } = (await switching('status')).record
    const { objects } = report.tables.find(({ objects }) => objects)
    assert.equal(objects.source, objects.target)
    assert.deepEqual([await there(), (await names('a')).length], [29, 29])
    await switching('finalize')
  })

  test('leaving, with the way back kept by the platform itself', async () => {
    const work = worker('leaving')
    const { record } = await switching('start', 'home')
    assert.equal(record.phase, 'committed')
    work.stop = true
    await work.done
    await asWritten(work, 'leaving')
    await put(files, 'a/2.txt', 'at home')
    ok(await files.remove(['a/3.txt']))
    await eventually(async () => (await kept('a/2.txt')) === 'at home' && (await kept('a/3.txt')) === null)
    // As many as there are rows: what was overwritten or removed is gone from the disk as well.
    const stored = () => readdirSync(join(app.folder, 'home-objects'), { recursive: true, withFileTypes: true })
    const rows = (await Promise.all(['a', 'leaving', 'joining', 'back'].map(names))).flat()
    await eventually(() => stored().filter((entry) => entry.isFile()).length === rows.length)
  })

  test('what somebody uploads to the platform meanwhile is seen, what the way back brings is not taken for it', async () => {
    assert.equal((await ask('POST', 'vault/stray.txt', 'stray')).status, 200)
    const seen = await eventually(async () => (await switching('status')).strays)
    assert.equal(seen.seen, 1, JSON.stringify(seen))
    assert.match(JSON.stringify(seen.kept), /stray\.txt/)
  })

  test('back once more, with all that was written at home', async () => {
    assert.equal((await ask('DELETE', 'vault/stray.txt')).status, 200)
    const { record } = await switching('back')
    assert.equal(record.phase, 'rolled_back')
    assert.equal(await text('a/2.txt'), 'at home')
    assert.equal((await names('a')).length, 28)
  })
})
