// What must not compile: every line below is wrong, and the compiler has to say so.

import { createClient } from '@supabase/supabase-js'

import type { Database, Enums, Tables, TablesInsert, TablesUpdate } from './made/database.js'

const db = createClient<Database>('http://localhost:54321', 'key')

export async function wrong() {
  // @ts-expect-error there is no such table
  await db.from('product').select()
  // @ts-expect-error a required column is missing
  await db.from('products').insert({ sku: 'a' })
  // @ts-expect-error there is no such column
  await db.from('products').insert({ sku: 'a', name: 'b', colour: 'red' })
  // @ts-expect-error a number is no text
  await db.from('products').update({ name: 3 }).eq('id', 1)
  // @ts-expect-error the column takes no null
  await db.from('products').update({ stock: null }).eq('id', 1)
  // @ts-expect-error an id that is always generated is not given
  await db.from('artists').insert({ id: 1, name: 'a' })
  // @ts-expect-error a generated column is not written
  await db.from('sleeves').update({ area: 1 }).eq('album_id', 1)
  // @ts-expect-error not a label of the enum
  await db.from('orders').update({ status: 'lost' }).eq('id', 'x')
  // @ts-expect-error not a label of the enum, in a filter
  await db.from('orders').select().eq('status', 'lost')
  // @ts-expect-error there is no such function
  await db.rpc('subtract', { a: 1 })
  // @ts-expect-error a required argument is missing
  await db.rpc('add', { b: 1 })
  // @ts-expect-error an argument of another type
  await db.rpc('add', { a: 'one' })
  // @ts-expect-error the function takes no arguments
  await db.rpc('greet', { name: 'x' })
  // @ts-expect-error not a label of the enum, as an argument
  await db.rpc('totals', { kind: 'bootleg' })
  // @ts-expect-error there is no such schema
  await db.schema('cellar').from('copies').select()
  // @ts-expect-error the table is in another schema
  await db.from('copies').select()

  const { data } = await db.from('tracks').select('title, albums(title)').single()
  // @ts-expect-error the column was not selected
  data?.seconds
  // @ts-expect-error the embed is one row, not many
  data?.albums.length
  const { data: missing } = await db.from('tracks').select('nothing').single()
  // @ts-expect-error there is no such column to select
  missing?.nothing
  const { data: unrelated } = await db.from('tracks').select('title, products(name)').single()
  // @ts-expect-error the tables are not related
  unrelated?.products.name
  const { data: product } = await db.from('products').select().single()
  // @ts-expect-error it may be null
  product!.updated_at.length
}

// @ts-expect-error there is no such table
export type Missing = Tables<'product'>
// @ts-expect-error there is no such enum
export type NoEnum = Enums<'colour'>
// @ts-expect-error views have no insert among the tables
export type NoInsert = TablesInsert<'long_tracks'>
// @ts-expect-error there is no such schema
export type NoSchema = TablesUpdate<{ schema: 'cellar' }, 'copies'>
