// Policies on storage.objects decide who does what with which file.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { answers, column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())

const TEXT = { contentType: 'text/plain' }
const DENIED = { status: 400, statusCode: '403', message: 'new row violates row-level security policy' }
const HIDDEN = { status: 400, statusCode: '404', message: 'Object not found' }

let ada, bob
const vault = (who) => who.client.storage.from('vault')
const shared = (who) => who.client.storage.from('shared')

before(async () => {
  ;[ada, bob] = [await app.user('ada'), await app.user('bob')]
  ok(await vault(ada).upload(`${ada.id}/diary.txt`, 'dear diary', TEXT))
})

describe('a folder of one’s own', () => {
  test('the owner reads, lists and replaces', async () => {
    assert.equal(await ok(await vault(ada).download(`${ada.id}/diary.txt`)).text(), 'dear diary')
    assert.deepEqual(column(ok(await vault(ada).list(ada.id)), 'name'), ['diary.txt'])
    ok(await vault(ada).upload(`${ada.id}/note.txt`, 'one', TEXT))
    ok(await vault(ada).upload(`${ada.id}/note.txt`, 'two', { ...TEXT, upsert: true }))
    assert.equal(await ok(await vault(ada).download(`${ada.id}/note.txt`)).text(), 'two')
  })

  test('others do not even see that it is there', async () => {
    for (const storage of [bob.client.storage, app.anon().storage]) {
      const files = storage.from('vault')
      fails(await files.download(`${ada.id}/diary.txt`), { status: 400 })
      fails(await files.info(`${ada.id}/diary.txt`), HIDDEN)
      assert.deepEqual(ok(await files.list(ada.id)), [])
      assert.deepEqual(ok(await files.list()), [])
      fails(await files.createSignedUrl(`${ada.id}/diary.txt`, 60), HIDDEN)
    }
  })

  test('the plain request is refused as well', async () => {
    const path = `/object/vault/${ada.id}/diary.txt`
    for (const token of [bob.token, app.anonKey, null]) {
      answers(await app.storage(path, { token }), 400)
      answers(await app.storage(path.replace('/object/', '/object/authenticated/'), { token }), 400)
      answers(await app.storage(path.replace('/object/', '/object/public/'), { token }), 400)
      answers(await app.storage(path, { token, method: 'HEAD' }), 400)
    }
    answers(await app.storage(path, { token: ada.token }), 200)
  })

  test('nobody else puts something there', async () => {
    fails(await vault(bob).upload(`${ada.id}/gift.txt`, 'x', TEXT), DENIED)
    fails(await vault(bob).upload(`${ada.id}/diary.txt`, 'x', { ...TEXT, upsert: true }), DENIED)
    fails(await vault(bob).createSignedUploadUrl(`${ada.id}/gift.txt`), DENIED)
    fails(await vault(bob).upload('at-the-top.txt', 'x', TEXT), DENIED)
    fails(await app.anon().storage.from('vault').upload(`${ada.id}/gift.txt`, 'x', TEXT), DENIED)
    fails(await vault(bob).update(`${ada.id}/diary.txt`, 'x', TEXT), { status: 400 })
    assert.equal(await ok(await vault(ada).download(`${ada.id}/diary.txt`)).text(), 'dear diary')
  })

  test('nobody else takes something away', async () => {
    assert.deepEqual(ok(await vault(bob).remove([`${ada.id}/diary.txt`])), [])
    fails(await vault(bob).move(`${ada.id}/diary.txt`, `${bob.id}/diary.txt`), { status: 400 })
    fails(await vault(bob).copy(`${ada.id}/diary.txt`, `${bob.id}/diary.txt`), { status: 400 })
    assert.deepEqual(ok(await vault(bob).list(bob.id)), [])
    assert.equal(ok(await vault(ada).list(ada.id)).length, 2)
  })

  test('nor does the owner push it to somebody else', async () => {
    fails(await vault(ada).move(`${ada.id}/note.txt`, `${bob.id}/note.txt`), DENIED)
    fails(await vault(ada).copy(`${ada.id}/note.txt`, `${bob.id}/note.txt`), DENIED)
    ok(await vault(ada).move(`${ada.id}/note.txt`, `${ada.id}/moved/note.txt`))
    assert.deepEqual(ok(await vault(bob).list(bob.id)), [])
  })

  test('a link of the owner works for everybody', async () => {
    const { signedUrl } = ok(await vault(ada).createSignedUrl(`${ada.id}/diary.txt`, 60))
    assert.equal(await (await fetch(signedUrl)).text(), 'dear diary')
  })

  test('the owner removes', async () => {
    const removed = ok(await vault(ada).remove([`${ada.id}/moved/note.txt`]))
    assert.deepEqual(column(removed, 'name'), [`${ada.id}/moved/note.txt`])
  })
})

describe('a bucket for everybody who is signed in', () => {
  test('one adds, the other reads, and only who added it removes it', async () => {
    ok(await shared(ada).upload('minutes.txt', 'we met', TEXT))
    assert.equal(await ok(await shared(bob).download('minutes.txt')).text(), 'we met')
    assert.deepEqual(ok(await shared(bob).remove(['minutes.txt'])), [])
    fails(await app.anon().storage.from('shared').download('minutes.txt'), { status: 400 })
    assert.equal(ok(await shared(ada).remove(['minutes.txt'])).length, 1)
  })

  test('no update policy: not even the owner replaces', async () => {
    ok(await shared(ada).upload('fixed.txt', 'first', TEXT))
    fails(await shared(ada).upload('fixed.txt', 'second', { ...TEXT, upsert: true }), DENIED)
    assert.equal(await ok(await shared(bob).download('fixed.txt')).text(), 'first')
  })

  test('the limits of the bucket hold beside its policies', async () => {
    fails(await shared(ada).upload('picture.png', 'x', { contentType: 'image/png' }), { status: 400, statusCode: '415' })
  })
})

describe('what a policy allows one operation', () => {
  const kept = () => ada.client.storage.from('kept')

  test('no other operation may do', async () => {
    for (const name of ['open/a.txt', 'open/b.txt', 'closed/a.txt']) ok(await kept().upload(name, 'kept', TEXT))
    assert.equal(await ok(await kept().download('open/a.txt')).text(), 'kept')
    ok(await kept().createSignedUrl('open/a.txt', 60))
    assert.deepEqual(ok(await kept().list('open')), [])
    fails(await kept().info('open/a.txt'), HIDDEN)
    fails(await kept().download('closed/a.txt'), { status: 400 })
    const several = ok(await kept().createSignedUrls(['open/a.txt', 'open/b.txt'], 60))
    assert.deepEqual(several.map((one) => one.signedUrl), [null, null])
  })

  test('nor the same one by another request', async () => {
    answers(await app.storage('/object/kept/open/b.txt', { token: ada.token, method: 'DELETE' }), 400)
    assert.deepEqual(column(ok(await kept().remove(['open/b.txt'])), 'name'), ['open/b.txt'])
  })
})

describe('the service role', () => {
  test('passes all policies', async () => {
    const files = app.service().storage.from('vault')
    assert.equal(await ok(await files.download(`${ada.id}/diary.txt`)).text(), 'dear diary')
    ok(await files.upload(`${bob.id}/from-above.txt`, 'x', TEXT))
    assert.equal(await ok(await vault(bob).download(`${bob.id}/from-above.txt`)).text(), 'x')
    assert.equal(ok(await files.remove([`${bob.id}/from-above.txt`])).length, 1)
  })
})
