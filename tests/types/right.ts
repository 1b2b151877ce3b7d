// What an application does with supabase-js, each result held against the type that it must infer.

import { createClient, type QueryData } from '@supabase/supabase-js'

import {
  Constants,
  type Database,
  type Enums,
  type Json,
  type Tables,
  type TablesInsert,
  type TablesUpdate,
} from './made/database.js'

/** Both types are the same: neither wider, nor narrower, nor `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Flat<T> = T extends (infer U)[] ? Flat<U>[] : T extends object ? { [K in keyof T]: Flat<T[K]> } : T
function same<A, B>(_: Same<Flat<A>, Flat<B>>) {}

const db = createClient<Database>('http://localhost:54321', 'key')

export async function rows() {
  const all = db.from('products').select()
  same<QueryData<typeof all>, Tables<'products'>[]>(true)
  same<Tables<'products'>['attrs'], Json>(true)
  same<Tables<'products'>['tags'], string[]>(true)
  same<Tables<'products'>['updated_at'], string | null>(true)
  same<Tables<'orders'>['status'], 'new' | 'paid' | 'shipped' | 'returned'>(true)
  same<Tables<{ schema: 'public' }, 'orders'>, Tables<'orders'>>(true)
  same<Enums<'order_status'>, 'new' | 'paid' | 'shipped' | 'returned'>(true)

  const some = db.from('tracks').select('id, name:title, album_id').gt('seconds', 100).order('title').single()
  same<QueryData<typeof some>, { id: number; name: string; album_id: number }>(true)
}

export async function embeds() {
  const one = db.from('tracks').select('title, albums(title, artists(name))')
  same<QueryData<typeof one>, { title: string; albums: { title: string; artists: { name: string } } }[]>(true)

  const many = db.from('artists').select('name, albums(id, kind)')
  same<QueryData<typeof many>, { name: string; albums: { id: number; kind: Enums<'album_kind'> }[] }[]>(true)

  const junction = db.from('albums').select('title, tags(name)')
  same<QueryData<typeof junction>, { title: string; tags: { name: string }[] }[]>(true)

  const only = db.from('albums').select('title, sleeves(artwork)')
  same<QueryData<typeof only>, { title: string; sleeves: { artwork: string | null } | null }[]>(true)

  const hinted = db.from('collaborations').select('since, lead:artists!collaborations_lead_fkey(name)')
  same<QueryData<typeof hinted>, { since: string | null; lead: { name: string } }[]>(true)

  const self = db.from('categories').select('name, children:categories!categories_parent_id_fkey(name)')
  same<QueryData<typeof self>, { name: string; children: { name: string }[] }[]>(true)

  const spread = db.from('albums').select('title, ...artists(name)')
  same<QueryData<typeof spread>, { title: string; name: string }[]>(true)

  const newest = db.from('artists').select('name, newest(title)')
  same<QueryData<typeof newest>, { name: string; newest: { title: string } | null }[]>(true)

  const shout = db.from('tracks').select('title, shout')
  same<QueryData<typeof shout>, { title: string; shout: string | null }[]>(true)

  const view = db.from('long_tracks').select('title')
  same<QueryData<typeof view>, { title: string | null }[]>(true)
}

export async function writes() {
  await db.from('products').insert({ sku: 'a', name: 'b' })
  await db.from('products').insert([{ sku: 'a', name: 'b', price: 1, attrs: { deep: [1, null] }, tags: ['x'] }])
  await db.from('products').update({ stock: 3, updated_at: null }).eq('id', 1)
  await db.from('inventory').upsert({ product_id: 1, warehouse: 'north' }, { onConflict: 'product_id,warehouse' })
  await db.from('sleeves').insert({ album_id: 1, 'Printed On': '2026-01-01' })
  await db.from('tracks').update({ title: 'x' }).eq('id', 1).maxAffected(1)
  const insert: TablesInsert<'orders'> = { product_id: 1 }
  const update: TablesUpdate<'orders'> = { status: 'paid' }
  return [insert, update]
}

export async function functions() {
  const sum = db.rpc('add', { a: 1 })
  same<QueryData<typeof sum>, number>(true)
  await db.rpc('add', { a: 1, b: 2 })
  const greeting = db.rpc('greet')
  same<QueryData<typeof greeting>, string>(true)
  const nothing = db.rpc('forget')
  same<QueryData<typeof nothing>, undefined>(true)
  const totals = db.rpc('totals', { kind: 'live' })
  same<QueryData<typeof totals>, { albums: number; artist: string }[]>(true)
  const longest = db.rpc('longest', { least: 3 }).select('title, albums(title)')
  same<QueryData<typeof longest>, { title: string; albums: { title: string } }[]>(true)
  const byName = db.rpc('find', { name: 'Miles Davis' }).select('id')
  same<QueryData<typeof byName>, { id: number }[]>(true)
  await db.rpc('find', { id: 1 })
}

export async function schemas() {
  const copies = db.schema('shelf').from('copies').select('state, states')
  type Condition = Enums<{ schema: 'shelf' }, 'condition'>
  same<QueryData<typeof copies>, { state: Condition; states: Condition[] | null }[]>(true)
  same<Condition, 'mint' | 'used' | 'broken'>(true)
  same<(typeof Constants)['public']['Enums']['album_kind'][number], Enums<'album_kind'>>(true)
  const labels: readonly Condition[] = Constants.shelf.Enums.condition
  return labels
}
