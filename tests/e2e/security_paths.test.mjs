// Names of objects that try to leave their bucket, or the folder of the server.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())

const MARK = 'escaped-from-its-bucket'
const PATHS = [
  '../escape.txt',
  '../../escape.txt',
  '../../../../../../../../tmp/escape.txt',
  '..%2f..%2fescape.txt',
  '%2e%2e/%2e%2e/escape.txt',
  '%2e%2e%2f%2e%2e%2fescape.txt',
  '..%5c..%5cescape.txt',
  '%252e%252e%252fescape.txt',
  'a/../../escape.txt',
  'a/%2e%2e/%2e%2e/escape.txt',
  './../escape.txt',
  '/etc/passwd',
  '%2fetc%2fpasswd',
  'ok.txt%00../../escape.txt',
  'ok%00.txt',
]
const TARGETS = [
  '../../truststream.toml',
  '..%2f..%2fsupabase%2fconfig.toml',
  '%2e%2e/%2e%2e/data.db',
  '../vault/secret.txt',
  '..%2fvault%2fsecret.txt',
]

let ada
before(async () => {
  ada = await app.user('ada')
  ok(await app.service().storage.createBucket('open', { public: true }))
  ok(await app.service().storage.from('open').upload('ok.txt', 'fine', { contentType: 'text/plain' }))
  ok(await app.service().storage.from('vault').upload('secret.txt', 'only in the vault', { contentType: 'text/plain' }))
})

/** Every file below a folder, with its path. */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

const marked = (path) => statSync(path).size < 1_000_000 && readFileSync(path, 'latin1').includes(MARK)

describe('writing', () => {
  test('no file is made outside of the objects', async () => {
    for (const path of PATHS) {
      for (const method of ['POST', 'PUT']) {
        const reply = await app.askPath(`/storage/v1/object/open/${path}`, {
          method,
          token: app.serviceKey,
          headers: { 'content-type': 'text/plain' },
          body: MARK,
        })
        assert.ok(reply.status < 500, `${method} ${path}: ${reply.status} ${reply.text.slice(0, 200)}`)
      }
    }
    const data = join(app.folder, '.truststream')
    const outside = filesBelow(app.folder).filter((path) => !path.startsWith(data))
    assert.deepEqual(outside.filter(marked), [])
    const objects = filesBelow(data).filter((path) => !path.startsWith(join(data, 'objects')))
    assert.deepEqual(objects.filter((path) => /escape|passwd/.test(path)), [])
    assert.deepEqual(readdirSync(tmpdir()).filter((name) => name === 'escape.txt'), [])
  })

  test('nor by move, copy and signed upload', async () => {
    const open = app.service().storage.from('open')
    for (const path of ['../vault/stolen.txt', '../../escape.txt', 'a/../../vault/stolen.txt']) {
      await open.move('ok.txt', path)
      await open.copy('ok.txt', path)
      await open.createSignedUploadUrl(path)
      await open.upload('ok.txt', 'fine', { contentType: 'text/plain', upsert: true })
    }
    const names = ok(await app.service().storage.from('vault').list()).map((row) => row.name)
    assert.deepEqual(names, ['secret.txt'])
  })

  test('a user does not leave his folder', async () => {
    const vault = ada.client.storage.from('vault')
    for (const path of [`${ada.id}/../stolen.txt`, `${ada.id}/../../open/stolen.txt`, `${ada.id}/%2e%2e/stolen.txt`]) {
      await vault.upload(path, 'x', { contentType: 'text/plain' })
      const reply = await app.askPath(`/storage/v1/object/vault/${path}`, {
        method: 'POST',
        token: ada.token,
        headers: { 'content-type': 'text/plain' },
        body: 'x',
      })
      assert.ok(reply.status < 500, `${path}: ${reply.status}`)
    }
    const top = (bucket) => app.service().storage.from(bucket).list()
    assert.equal(ok(await top('vault')).some((row) => row.name === 'stolen.txt'), false)
    assert.equal(ok(await top('open')).some((row) => row.name === 'stolen.txt'), false)
  })
})

describe('reading', () => {
  test('nothing but objects of that bucket comes out', async () => {
    for (const path of [...PATHS, ...TARGETS]) {
      for (const kind of ['', 'public/', 'authenticated/', 'info/']) {
        const token = kind === 'public/' ? null : app.serviceKey
        const reply = await app.askPath(`/storage/v1/object/${kind}open/${path}`, { token })
        assert.ok(reply.status < 500, `${kind}${path}: ${reply.status}`)
        assert.doesNotMatch(reply.text, /root:|project_id|SQLite format|only in the vault/, `${kind}${path}`)
      }
    }
  })

  test('a public bucket does not open its neighbour', async () => {
    for (const path of ['../vault/secret.txt', '..%2fvault%2fsecret.txt', '%2e%2e/vault/secret.txt']) {
      const reply = await app.askPath(`/storage/v1/object/public/open/${path}`, { token: null })
      assert.notEqual(reply.status, 200, path)
    }
    const { signedUrl } = ok(await app.service().storage.from('open').createSignedUrl('ok.txt', 60))
    const token = new URL(signedUrl).searchParams.get('token')
    for (const path of ['open/../vault/secret.txt', 'vault/secret.txt', 'open/..%2fvault%2fsecret.txt']) {
      answers(await app.askPath(`/storage/v1/object/sign/${path}?token=${token}`, { token: null }), 400)
    }
  })

  test('names that are no names', async () => {
    const open = app.service().storage.from('open')
    fails(await open.upload('a\u0000b.txt', 'x'), { status: 400 })
    fails(await open.upload('', 'x'), {})
    assert.deepEqual(ok(await open.list()).map((row) => row.name).filter((name) => /\u0000/.test(name)), [])
  })
})
