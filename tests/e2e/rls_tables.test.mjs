// Which tables are open at all, and policies that look into other tables.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startApp } from './support/app.mjs'
import { column, fails, ok } from './support/expect.mjs'

const app = await startApp()
after(() => app.stop())
const service = app.service()

let owner, editor, reader, stranger, team, documents
before(async () => {
  ;[owner, editor, reader, stranger] = await Promise.all(
    ['owner', 'editor', 'reader', 'stranger'].map((name) => app.user(name))
  )
  team = ok(await owner.client.from('teams').insert({ name: 'Analytical Engine' }).select().single())
  ok(
    await owner.client.from('members').insert([
      { team_id: team.id, user_id: owner.id, role: 'owner' },
      { team_id: team.id, user_id: editor.id, role: 'editor' },
      { team_id: team.id, user_id: reader.id, role: 'reader' },
    ])
  )
  const rows = ['private', 'team', 'public'].map((visibility) => ({ team_id: team.id, title: visibility, visibility }))
  documents = ok(await owner.client.from('documents').insert(rows).select('id, title'))
  for (const { id, title } of documents) {
    ok(await owner.client.from('comments').insert({ document_id: id, body: `on ${title}` }))
  }
})

const titles = async (client) =>
  column(ok(await client.from('documents').select('title').eq('team_id', team.id).order('title')), 'title')

describe('tables without policies', () => {
  test('no row level security and no grant: closed', async () => {
    const message = 'permission denied for table audit_log'
    fails(await app.anon().from('audit_log').select(), { status: 401, code: '42501', message })
    fails(await stranger.client.from('audit_log').select(), { status: 403, code: '42501', message })
    fails(await stranger.client.from('audit_log').insert({ entry: 'x' }), { status: 403, code: '42501', message })
    fails(await stranger.client.from('audit_log').update({ entry: 'x' }).eq('id', 1), { status: 403, code: '42501' })
    fails(await stranger.client.from('audit_log').delete().eq('id', 1), { status: 403, code: '42501' })
    fails(await stranger.client.from('audit_log').select('id', { count: 'exact' }).limit(0), { status: 403, code: '42501' })
    assert.deepEqual(ok(await service.from('audit_log').select('entry')), [{ entry: 'seeded' }])
  })

  test('a misspelt name is not a way to find closed tables', async () => {
    const code = 'PGRST205'
    for (const client of [app.anon(), stranger.client]) {
      assert.equal(fails(await client.from('audit_logs').select(), { code }).hint, null)
    }
    const told = fails(await service.from('audit_logs').select(), { code }).hint
    assert.equal(told, "Perhaps you meant the table 'public.audit_log'")
    const open = fails(await app.anon().from('countrys').select(), { code }).hint
    assert.equal(open, "Perhaps you meant the table 'public.countries'")
  })

  test('granted: as far as the grant goes', async () => {
    assert.equal(ok(await app.anon().from('countries').select()).length, 4)
    assert.equal(ok(await stranger.client.from('countries').select()).length, 4)
    const message = 'permission denied for table countries'
    fails(await app.anon().from('countries').insert({ code: 'XX', name: 'x' }), { status: 401, code: '42501', message })
    fails(await stranger.client.from('countries').delete().eq('code', 'DE'), { status: 403, code: '42501', message })
  })

  test('row level security without a policy: empty, and takes nothing', async () => {
    for (const client of [app.anon(), stranger.client]) {
      const result = await client.from('secrets').select('*', { count: 'exact' })
      assert.deepEqual(ok(result), [])
      assert.equal(result.count, 0)
      fails(await client.from('secrets').insert({ secret: 'x' }), { code: '42501' })
      assert.deepEqual(ok(await client.from('secrets').update({ secret: 'x' }).gt('id', 0).select()), [])
      assert.deepEqual(ok(await client.from('secrets').delete().gt('id', 0).select()), [])
    }
    assert.deepEqual(ok(await service.from('secrets').select('secret')), [{ secret: 'the vault code' }])
  })

  test('what only reads are allowed for', async () => {
    fails(await app.anon().from('artists').insert({ name: 'Nobody' }), { status: 401, code: '42501' })
    fails(await stranger.client.from('artists').insert({ name: 'Nobody' }), { status: 403, code: '42501' })
    assert.deepEqual(ok(await stranger.client.from('artists').delete().gt('id', 0).select()), [])
    assert.equal(ok(await app.anon().from('artists').select('id')).length, 5)
  })
})

describe('policies that look into other tables', () => {
  test('reading through a membership', async () => {
    assert.deepEqual(await titles(owner.client), ['private', 'public', 'team'])
    assert.deepEqual(await titles(editor.client), ['public', 'team'])
    assert.deepEqual(await titles(reader.client), ['public', 'team'])
    assert.deepEqual(await titles(stranger.client), ['public'])
    assert.deepEqual(await titles(app.anon()), ['public'])
    assert.deepEqual(await titles(service), ['private', 'public', 'team'])
  })

  test('writing by role of the membership', async () => {
    const draft = (title) => ({ team_id: team.id, title, visibility: 'private' })
    ok(await editor.client.from('documents').insert(draft('by the editor')), 201)
    fails(await reader.client.from('documents').insert(draft('by the reader')), { code: '42501', status: 403 })
    fails(await stranger.client.from('documents').insert(draft('by a stranger')), { code: '42501', status: 403 })
    ok(await stranger.client.from('documents').insert({ title: 'his own', visibility: 'private' }), 201)
    fails(await editor.client.from('documents').insert({ ...draft('forged'), owner_id: owner.id }), { code: '42501' })
  })

  test('only the founder adds members', async () => {
    const join = { team_id: team.id, user_id: stranger.id, role: 'owner' }
    fails(await stranger.client.from('members').insert(join), { code: '42501', status: 403 })
    fails(await editor.client.from('members').insert(join), { code: '42501', status: 403 })
    assert.deepEqual(await titles(stranger.client), ['public'])
  })

  test('a membership that ends closes the door at once', async () => {
    const guest = await app.user('guest')
    ok(await owner.client.from('members').insert({ team_id: team.id, user_id: guest.id }))
    assert.deepEqual(await titles(guest.client), ['public', 'team'])
    ok(await service.from('members').delete().eq('user_id', guest.id))
    assert.deepEqual(await titles(guest.client), ['public'])
  })

  test('a table whose policy follows another table that has policies itself', async () => {
    const bodies = async (client) => column(ok(await client.from('comments').select('body').order('body')), 'body')
    assert.deepEqual(await bodies(owner.client), ['on private', 'on public', 'on team'])
    assert.deepEqual(await bodies(reader.client), ['on public', 'on team'])
    assert.deepEqual(await bodies(app.anon()), ['on public'])
    const secret = documents.find((document) => document.title === 'private').id
    fails(await reader.client.from('comments').insert({ document_id: secret, body: 'found it' }), {
      code: '42501',
      status: 403,
    })
  })

  test('a restrictive policy takes away what the others allow', async () => {
    const { id } = ok(
      await owner.client.from('documents').insert({ title: 'old', visibility: 'private', archived: true }).select('id').single()
    )
    assert.deepEqual(ok(await owner.client.from('documents').update({ title: 'newer' }).eq('id', id).select()), [])
    assert.equal(ok(await owner.client.from('documents').select('title').eq('id', id).single()).title, 'old')
    assert.equal(ok(await owner.client.from('documents').delete().eq('id', id).select('id')).length, 1)
  })
})

describe('embedding', () => {
  test('children one may not see are not in the list', async () => {
    const tree = async (client) =>
      ok(await client.from('documents').select('title, comments(body)').eq('team_id', team.id).order('title'))
    assert.deepEqual(await tree(app.anon()), [{ title: 'public', comments: [{ body: 'on public' }] }])
    assert.equal((await tree(owner.client)).length, 3)
    const teams = ok(await reader.client.from('teams').select('name, documents(title)').order('title', { referencedTable: 'documents' }))
    assert.deepEqual(teams, [{ name: team.name, documents: [{ title: 'public' }, { title: 'team' }] }])
  })

  test('a parent one may not see is null', async () => {
    const rows = ok(await app.anon().from('documents').select('title, teams(name)').eq('team_id', team.id))
    assert.deepEqual(rows, [{ title: 'public', teams: null }])
  })

  test('inner embeds and counts do not tell either', async () => {
    const hidden = await stranger.client
      .from('documents')
      .select('title, teams!inner(name)', { count: 'exact' })
      .eq('teams.name', team.name)
    assert.deepEqual(ok(hidden), [])
    assert.equal(hidden.count, 0)
    const guess = await app
      .anon()
      .from('documents')
      .select('id, comments!inner(id)', { count: 'exact', head: true })
      .eq('comments.body', 'on team')
    assert.equal(guess.count, 0)
  })

  test('what is embedded in a written row follows the same policies', async () => {
    const row = ok(
      await editor.client
        .from('comments')
        .insert({ document_id: documents.find((one) => one.title === 'team').id, body: 'read it' })
        .select('body, documents(title, teams(name))')
        .single()
    )
    assert.deepEqual(row, { body: 'read it', documents: { title: 'team', teams: { name: team.name } } })
  })

  test('a closed table cannot be reached through an open one', async () => {
    const message = 'permission denied for table audit_log'
    fails(await app.anon().from('artists').select('id, audit_log(entry)'), { status: 401, code: '42501', message })
    fails(await stranger.client.from('artists').select('id, audit_log!inner(id)'), { status: 403, code: '42501', message })
    assert.equal(ok(await service.from('artists').select('id, audit_log(entry)')).length, 5)
  })
})
