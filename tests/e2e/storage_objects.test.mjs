// Objects in and out: upload, download, ranges, list, move, copy, remove.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const storage = app.service().storage
const files = storage.from('files')

before(async () => ok(await storage.createBucket('files')))

const UUID = /^[0-9a-f-]{36}$/
const NOT_FOUND = { status: 400, statusCode: '404', code: 'NoSuchKey', message: 'Object not found' }
const text = async (blob) => blob.text()
const get = (path, headers = {}) => app.storage(`/object/files/${path}`, { token: app.serviceKey, headers })

describe('upload and download', () => {
  test('bytes come back as they went in, with type and path', async () => {
    const bytes = randomBytes(70_000)
    const uploaded = ok(await files.upload('deep/er/noise.bin', bytes, { contentType: 'application/octet-stream' }))
    assert.equal(uploaded.path, 'deep/er/noise.bin')
    assert.equal(uploaded.fullPath, 'files/deep/er/noise.bin')
    assert.match(uploaded.id, UUID)
    const blob = ok(await files.download('deep/er/noise.bin'))
    assert.equal(blob.type, 'application/octet-stream')
    assert.deepEqual(Buffer.from(await blob.arrayBuffer()), bytes)
  })

  test('a Blob goes as a form, text as a body', async () => {
    ok(await files.upload('blob.svg', new Blob(['<svg/>'], { type: 'image/svg+xml' })))
    assert.equal(await text(ok(await files.download('blob.svg'))), '<svg/>')
    assert.equal(ok(await files.info('blob.svg')).contentType, 'image/svg+xml')
    ok(await files.upload('note.txt', 'grüß dich', { contentType: 'text/plain' }))
    assert.equal(await text(ok(await files.download('note.txt'))), 'grüß dich')
  })

  test('an empty file', async () => {
    ok(await files.upload('empty.txt', '', { contentType: 'text/plain' }))
    assert.equal(ok(await files.download('empty.txt')).size, 0)
  })

  test('names with blanks and signs', async () => {
    const name = "a b/it's (new) & ok+1,2=3;4.txt"
    ok(await files.upload(name, 'odd', { contentType: 'text/plain' }))
    assert.equal(await text(ok(await files.download(name))), 'odd')
    assert.deepEqual(column(ok(await files.list('a b')), 'name'), ["it's (new) & ok+1,2=3;4.txt"])
  })

  test('twice the same name: refused, or replaced when told to', async () => {
    ok(await files.upload('once.txt', 'first', { contentType: 'text/plain' }))
    fails(await files.upload('once.txt', 'second', { contentType: 'text/plain' }), {
      status: 400,
      statusCode: '409',
      message: 'The resource already exists',
    })
    assert.equal(await text(ok(await files.download('once.txt'))), 'first')
    ok(await files.upload('once.txt', 'third', { contentType: 'text/plain', upsert: true }))
    assert.equal(await text(ok(await files.download('once.txt'))), 'third')
    ok(await files.update('once.txt', '{}', { contentType: 'application/json' }))
    assert.equal(ok(await files.info('once.txt')).contentType, 'application/json')
  })

  test('what is not there', async () => {
    const expected = { statusCode: '404', code: 'NoSuchKey', message: 'Object not found' }
    const reply = answers(await get('no/such.txt'), 400)
    for (const [name, value] of Object.entries(expected)) assert.equal(reply.json[name], value, name)
    fails(await files.update('no/such.txt', 'x'), { status: 400, statusCode: '404' })
    fails(await storage.from('nowhere').upload('x.txt', 'x'), { status: 400, statusCode: '404', message: 'Bucket not found' })
  })
})

describe('the HTTP of a download', () => {
  before(async () => ok(await files.upload('abc.txt', 'abcdefghij', { contentType: 'text/plain', cacheControl: '60' })))

  test('headers', async () => {
    const reply = answers(await get('abc.txt'), 200)
    assert.equal(reply.text, 'abcdefghij')
    assert.match(reply.header('content-type'), /^text\/plain/)
    assert.equal(reply.header('content-length'), '10')
    assert.equal(reply.header('accept-ranges'), 'bytes')
    assert.equal(reply.header('cache-control'), 'max-age=60')
    assert.ok(reply.header('etag'))
    assert.ok(Date.parse(reply.header('last-modified')) > 0)
  })

  test('head', async () => {
    const reply = answers(await app.storage('/object/files/abc.txt', { method: 'HEAD', token: app.serviceKey }), 200)
    assert.equal(reply.header('content-length'), '10')
    assert.equal(reply.text, '')
  })

  test('a part of it', async () => {
    const part = async (range) => answers(await get('abc.txt', { range }), 206)
    const middle = await part('bytes=2-4')
    assert.equal(middle.text, 'cde')
    assert.equal(middle.header('content-range'), 'bytes 2-4/10')
    assert.equal(middle.header('content-length'), '3')
    assert.equal((await part('bytes=7-')).text, 'hij')
    assert.equal((await part('bytes=-2')).text, 'ij')
  })

  test('not again when it has not changed', async () => {
    const etag = (await get('abc.txt')).header('etag')
    assert.equal(answers(await get('abc.txt', { 'if-none-match': etag }), 304).text, '')
  })

  test('as an attachment', async () => {
    const plain = answers(await get('abc.txt?download'), 200)
    assert.match(plain.header('content-disposition'), /^attachment;?$/)
    const named = answers(await get('abc.txt?download=report.txt'), 200)
    assert.match(named.header('content-disposition'), /^attachment; ?filename="?report\.txt/)
  })

  test('a page is not served as one', async () => {
    ok(await files.upload('page.html', '<script>alert(1)</script>', { contentType: 'text/html' }))
    assert.doesNotMatch(answers(await get('page.html'), 200).header('content-type'), /html/)
  })
})

describe('info', () => {
  test('size, type and what was said about it', async () => {
    const metadata = { author: 'Ada', tags: ['x', 'ü'] }
    ok(await files.upload('about.txt', 'hello', { contentType: 'text/plain', metadata }))
    const info = ok(await files.info('about.txt'))
    assert.deepEqual([info.name, info.size, info.contentType], ['about.txt', 5, 'text/plain'])
    assert.deepEqual(info.metadata, metadata)
    assert.match(info.id, UUID)
  })

  test('exists', async () => {
    assert.equal(ok(await files.exists('about.txt')), true)
    const missing = await files.exists('missing.txt')
    assert.equal(missing.data, false)
    fails(missing, NOT_FOUND)
  })
})

describe('list', () => {
  before(async () => {
    for (const name of ['l/b.txt', 'l/a.txt', 'l/sub/c.txt', 'l/sub/d.txt', 'l/z.txt']) {
      ok(await files.upload(name, name, { contentType: 'text/plain' }))
    }
  })

  test('files and folders of one level', async () => {
    const rows = ok(await files.list('l'))
    assert.deepEqual(column(rows, 'name').sort(), ['a.txt', 'b.txt', 'sub', 'z.txt'])
    const folder = rows.find((row) => row.name === 'sub')
    assert.equal(folder.id, null)
    assert.equal(folder.metadata, null)
    const file = rows.find((row) => row.name === 'a.txt')
    assert.match(file.id, UUID)
    assert.equal(file.metadata.size, 7)
    assert.equal(file.metadata.mimetype, 'text/plain')
    assert.ok(Date.parse(file.created_at) > 0)
  })

  test('with and without a slash at the end, and of a folder that there is not', async () => {
    assert.deepEqual(column(ok(await files.list('l/sub')), 'name'), ['c.txt', 'd.txt'])
    assert.deepEqual(column(ok(await files.list('l/sub/')), 'name'), ['c.txt', 'd.txt'])
    assert.deepEqual(ok(await files.list('no/such')), [])
  })

  test('sorted, searched, page by page', async () => {
    const names = async (options) => column(ok(await files.list('l/sub', options)), 'name')
    assert.deepEqual(await names({ sortBy: { column: 'name', order: 'desc' } }), ['d.txt', 'c.txt'])
    assert.deepEqual(await names({ limit: 1 }), ['c.txt'])
    assert.deepEqual(await names({ limit: 1, offset: 1 }), ['d.txt'])
    assert.deepEqual(column(ok(await files.list('l', { search: 'b' })), 'name'), ['b.txt'])
  })

  test('a wildcard of the database is a letter here', async () => {
    assert.deepEqual(ok(await files.list('l', { search: '%' })), [])
    assert.deepEqual(ok(await files.list('_')), [])
  })
})

describe('move, copy, remove', () => {
  const put = async (name, body = name) => ok(await files.upload(name, body, { contentType: 'text/plain' }))

  test('move', async () => {
    await put('m/from.txt', 'moved')
    assert.equal(ok(await files.move('m/from.txt', 'm/deep/to.txt')).message, 'Successfully moved')
    assert.equal(await text(ok(await files.download('m/deep/to.txt'))), 'moved')
    fails(await files.info('m/from.txt'), NOT_FOUND)
    fails(await files.move('m/from.txt', 'm/again.txt'), NOT_FOUND)
  })

  test('copy', async () => {
    await put('c/from.txt', 'copied')
    assert.equal(ok(await files.copy('c/from.txt', 'c/to.txt')).path, 'files/c/to.txt')
    for (const name of ['c/from.txt', 'c/to.txt']) assert.equal(await text(ok(await files.download(name))), 'copied')
    fails(await files.copy('c/none.txt', 'c/again.txt'), NOT_FOUND)
  })

  test('to a name that is taken', async () => {
    await put('t/one.txt')
    await put('t/two.txt')
    fails(await files.move('t/one.txt', 't/two.txt'), { status: 400, statusCode: '409' })
    fails(await files.copy('t/one.txt', 't/two.txt'), { status: 400, statusCode: '409' })
    assert.equal(await text(ok(await files.download('t/two.txt'))), 't/two.txt')
  })

  test('into another bucket', async () => {
    ok(await storage.createBucket('elsewhere'))
    await put('x/a.txt', 'across')
    ok(await files.copy('x/a.txt', 'copy.txt', { destinationBucket: 'elsewhere' }))
    ok(await files.move('x/a.txt', 'move.txt', { destinationBucket: 'elsewhere' }))
    const there = storage.from('elsewhere')
    assert.deepEqual(column(ok(await there.list()), 'name'), ['copy.txt', 'move.txt'])
    assert.equal(await text(ok(await there.download('move.txt'))), 'across')
  })

  test('remove several, and hear which there were', async () => {
    await put('r/1.txt')
    await put('r/2.txt')
    const removed = ok(await files.remove(['r/1.txt', 'r/2.txt', 'r/3.txt']))
    assert.deepEqual(column(removed, 'name').sort(), ['r/1.txt', 'r/2.txt'])
    fails(await files.download('r/1.txt'), { status: 400 })
    assert.deepEqual(ok(await files.remove(['r/1.txt'])), [])
  })

  test('a name is free again once its file is removed', async () => {
    await put('r/again.txt', 'old')
    ok(await files.remove(['r/again.txt']))
    await put('r/again.txt', 'new')
    assert.equal(await text(ok(await files.download('r/again.txt'))), 'new')
  })
})
