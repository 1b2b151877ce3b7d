// Buckets, their limits, public files, and links that carry their own permission.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok, refuses } from './support/expect.mjs'
import { decode, tamper } from './support/jwt.mjs'
import { eventually } from './support/waiting.mjs'

const app = await startApp()
after(() => app.stop())
const storage = app.service().storage

const TEXT = { contentType: 'text/plain' }
const put = async (bucket, path, body) => ok(await storage.from(bucket).upload(path, body, TEXT))
const tokenOf = (url) => new URL(url).searchParams.get('token')

describe('buckets', () => {
  test('those of the migrations are there', async () => {
    const { public: open, file_size_limit, allowed_mime_types } = ok(await storage.getBucket('avatars'))
    assert.deepEqual([open, file_size_limit, allowed_mime_types], [true, 65536, ['image/png', 'image/jpeg']])
    assert.equal(ok(await storage.getBucket('vault')).public, false)
  })

  test('create, read, list', async () => {
    assert.equal(ok(await storage.createBucket('letters')).name, 'letters')
    const bucket = ok(await storage.getBucket('letters'))
    assert.deepEqual([bucket.id, bucket.name, bucket.public], ['letters', 'letters', false])
    assert.deepEqual([bucket.file_size_limit, bucket.allowed_mime_types], [null, null])
    assert.ok(column(ok(await storage.listBuckets()), 'id').includes('letters'))
  })

  test('change', async () => {
    ok(await storage.createBucket('changing', { public: false }))
    ok(await storage.updateBucket('changing', { public: true, fileSizeLimit: 100, allowedMimeTypes: ['text/plain'] }))
    const bucket = ok(await storage.getBucket('changing'))
    assert.deepEqual([bucket.public, bucket.file_size_limit, bucket.allowed_mime_types], [true, 100, ['text/plain']])
  })

  test('a name that is taken, one that is not allowed, one that is not there', async () => {
    ok(await storage.createBucket('taken'))
    fails(await storage.createBucket('taken'), { status: 400, statusCode: '409', message: 'The resource already exists' })
    fails(await storage.createBucket('with/slash'), { status: 400, statusCode: '400', message: 'Bucket name invalid' })
    fails(await storage.getBucket('nowhere'), { status: 400, statusCode: '404', message: 'Bucket not found' })
  })

  test('only an empty one can be deleted', async () => {
    ok(await storage.createBucket('going'))
    await put('going', 'a/b.txt', 'x')
    fails(await storage.deleteBucket('going'), {
      status: 400,
      statusCode: '409',
      message: 'The bucket you tried to delete is not empty',
    })
    ok(await storage.emptyBucket('going'))
    assert.deepEqual(ok(await storage.from('going').list()), [])
    ok(await storage.deleteBucket('going'))
    fails(await storage.getBucket('going'), { statusCode: '404' })
  })

  test('only the service role makes and sees them', async () => {
    const { client } = await app.user('no-bucket')
    for (const caller of [client, app.anon()]) {
      fails(await caller.storage.createBucket('mine'), {
        status: 400,
        statusCode: '403',
        message: 'new row violates row-level security policy',
      })
      assert.deepEqual(ok(await caller.storage.listBuckets()), [])
      fails(await caller.storage.getBucket('vault'), { statusCode: '404' })
      fails(await caller.storage.deleteBucket('vault'), { statusCode: '404' })
    }
  })
})

describe('limits', () => {
  test('of size', async () => {
    ok(await storage.createBucket('small', { fileSizeLimit: 10 }))
    await put('small', 'ten.txt', '0123456789')
    const tooLarge = { status: 400, statusCode: '413', message: 'The object exceeded the maximum allowed size' }
    fails(await storage.from('small').upload('eleven.txt', '0123456789X', TEXT), tooLarge)
    fails(await storage.from('small').upload('form.txt', new Blob(['0123456789X'], { type: 'text/plain' })), tooLarge)
    fails(await storage.from('small').update('ten.txt', '0123456789X', TEXT), tooLarge)
    assert.deepEqual(column(ok(await storage.from('small').list()), 'name'), ['ten.txt'])
    assert.equal(await ok(await storage.from('small').download('ten.txt')).text(), '0123456789')
  })

  test('of size, for the whole project', async () => {
    const tooLarge = { status: 400, statusCode: '413' }
    fails(await storage.from('vault').upload('big.bin', Buffer.alloc(2 * 1024 * 1024 + 1)), tooLarge)
    ok(await storage.from('vault').upload('fits.bin', Buffer.alloc(2 * 1024 * 1024 - 1)))
  })

  test('of type', async () => {
    ok(await storage.createBucket('pictures', { allowedMimeTypes: ['image/*', 'application/pdf'] }))
    const upload = (path, contentType) => storage.from('pictures').upload(path, 'x', { contentType })
    ok(await upload('a.png', 'image/png'))
    ok(await upload('b.pdf', 'application/pdf'))
    fails(await upload('c.txt', 'text/plain'), {
      status: 400,
      statusCode: '415',
      message: 'mime type text/plain is not supported',
    })
    assert.deepEqual(column(ok(await storage.from('pictures').list()), 'name'), ['a.png', 'b.pdf'])
  })
})

describe('public buckets', () => {
  before(async () => {
    ok(await storage.createBucket('open', { public: true }))
    ok(await storage.createBucket('closed'))
    await put('open', 'a b/hello.txt', 'hello')
    await put('closed', 'hello.txt', 'hello')
  })

  const publicUrl = (bucket, path, options) => app.anon().storage.from(bucket).getPublicUrl(path, options).data.publicUrl

  test('anybody reads them by their address, without a key', async () => {
    const response = await fetch(publicUrl('open', 'a b/hello.txt'))
    assert.equal(response.status, 200)
    assert.equal(await response.text(), 'hello')
    const attachment = await fetch(publicUrl('open', 'a b/hello.txt', { download: 'h.txt' }))
    assert.match(attachment.headers.get('content-disposition'), /^attachment; ?filename="?h\.txt/)
  })

  test('what is not there, and a bucket that is not public', async () => {
    const missing = await fetch(publicUrl('open', 'missing.txt'))
    assert.equal(missing.status, 400)
    assert.equal((await missing.json()).statusCode, '404')
    const closed = await fetch(publicUrl('closed', 'hello.txt'))
    assert.equal(closed.status, 400)
    assert.equal((await closed.json()).statusCode, '404')
  })

  test('nobody writes to them for that', async () => {
    fails(await app.anon().storage.from('open').upload('new.txt', 'x', TEXT), { status: 400, statusCode: '403' })
    assert.deepEqual(ok(await app.anon().storage.from('open').remove(['a b/hello.txt'])), [])
    assert.equal((await fetch(publicUrl('open', 'a b/hello.txt'))).status, 200)
  })

  test('closing a bucket closes its addresses', async () => {
    ok(await storage.createBucket('closing', { public: true }))
    await put('closing', 'x.txt', 'x')
    assert.equal((await fetch(publicUrl('closing', 'x.txt'))).status, 200)
    ok(await storage.updateBucket('closing', { public: false }))
    assert.equal((await fetch(publicUrl('closing', 'x.txt'))).status, 400)
  })
})

describe('signed downloads', () => {
  before(async () => {
    ok(await storage.createBucket('signed'))
    await put('signed', 'a/one.txt', 'one')
    await put('signed', 'a/two.txt', 'two')
  })
  const signed = storage.from('signed')
  const through = (path, token) => app.storage(`/object/sign/signed/${path}?token=${token}`, { token: null })

  test('anybody who has the link reads the file, and only that file', async () => {
    const { signedUrl } = ok(await signed.createSignedUrl('a/one.txt', 60))
    const response = await fetch(signedUrl)
    assert.equal(response.status, 200)
    assert.equal(await response.text(), 'one')
    refuses(await through('a/two.txt', tokenOf(signedUrl)), 400, { statusCode: '400' })
  })

  test('as a download under another name', async () => {
    const { signedUrl } = ok(await signed.createSignedUrl('a/one.txt', 60, { download: 'other.txt' }))
    const response = await fetch(signedUrl)
    assert.match(response.headers.get('content-disposition'), /^attachment; ?filename="?other\.txt/)
  })

  test('several at once', async () => {
    const [one, none] = ok(await signed.createSignedUrls(['a/one.txt', 'a/none.txt'], 60))
    assert.equal((await fetch(one.signedUrl)).status, 200)
    assert.equal(none.signedUrl, null)
    assert.equal(none.error, 'Either the object does not exist or you do not have access to it')
  })

  test('until it expires', async () => {
    let signedUrl
    // A busy machine may take longer than that to ask at all.
    for (let seconds = 2; ; seconds *= 4) {
      assert.ok(seconds < 500, 'there was never time to ask')
      const began = performance.now()
      signedUrl = ok(await signed.createSignedUrl('a/one.txt', seconds)).signedUrl
      const { status } = await fetch(signedUrl)
      if (performance.now() - began > (seconds - 1) * 1_000) continue
      assert.equal(status, 200)
      break
    }
    const expired = await eventually(
      async () => {
        const response = await fetch(signedUrl)
        return response.status === 200 ? null : response
      },
      { patience: 300_000, what: 'the link expired' }
    )
    assert.equal(expired.status, 400)
  })

  test('a token that is none, or of somebody else', async () => {
    const token = tokenOf(ok(await signed.createSignedUrl('a/one.txt', 60)).signedUrl)
    refuses(await through('a/two.txt', tamper(token, { url: 'signed/a/two.txt' })), 400)
    refuses(await through('a/one.txt', tamper(token, { exp: decode(token).claims.exp + 999 })), 400)
    refuses(await through('a/one.txt', app.anonKey), 400)
    refuses(await through('a/one.txt', 'xxx'), 400)
    answers(await app.storage('/object/sign/signed/a/one.txt', { token: null }), 400)
  })

  test('for a file that there is not', async () => {
    fails(await signed.createSignedUrl('a/none.txt', 60), { status: 400, statusCode: '404' })
  })
})

describe('signed uploads', () => {
  before(async () => ok(await storage.createBucket('inbox')))
  const inbox = storage.from('inbox')
  const anonymous = () => app.anon().storage.from('inbox')

  test('anybody who has the token puts that file there', async () => {
    const { token, path, signedUrl } = ok(await inbox.createSignedUploadUrl('in/a.txt'))
    assert.equal(path, 'in/a.txt')
    assert.equal(tokenOf(signedUrl), token)
    const uploaded = ok(await anonymous().uploadToSignedUrl('in/a.txt', token, 'by mail', TEXT))
    assert.equal(uploaded.fullPath, 'inbox/in/a.txt')
    assert.equal(await ok(await inbox.download('in/a.txt')).text(), 'by mail')
  })

  test('but no other one, and nothing that is there already', async () => {
    const { token } = ok(await inbox.createSignedUploadUrl('in/b.txt'))
    fails(await anonymous().uploadToSignedUrl('in/other.txt', token, 'x', TEXT), { status: 400 })
    ok(await anonymous().uploadToSignedUrl('in/b.txt', token, 'first', TEXT))
    fails(await anonymous().uploadToSignedUrl('in/b.txt', token, 'second', TEXT), { status: 400, statusCode: '409' })
    fails(await inbox.createSignedUploadUrl('in/b.txt'), { status: 400, statusCode: '409' })
    assert.equal(await ok(await inbox.download('in/b.txt')).text(), 'first')
  })

  test('over what is there when it was signed so', async () => {
    ok(await inbox.upload('in/c.txt', 'first', TEXT))
    const { token } = ok(await inbox.createSignedUploadUrl('in/c.txt', { upsert: true }))
    ok(await anonymous().uploadToSignedUrl('in/c.txt', token, 'second', TEXT))
    assert.equal(await ok(await inbox.download('in/c.txt')).text(), 'second')
  })

  test('a token to read does not write, a token to write does not read', async () => {
    ok(await inbox.upload('in/d.txt', 'kept', TEXT))
    const read = tokenOf(ok(await inbox.createSignedUrl('in/d.txt', 60)).signedUrl)
    fails(await anonymous().uploadToSignedUrl('in/d.txt', read, 'changed', { ...TEXT, upsert: true }), { status: 400 })
    const { token: write } = ok(await inbox.createSignedUploadUrl('in/d.txt', { upsert: true }))
    answers(await app.storage(`/object/sign/inbox/in/d.txt?token=${write}`, { token: null }), 400)
    assert.equal(await ok(await inbox.download('in/d.txt')).text(), 'kept')
  })
})
