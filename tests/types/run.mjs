// Types of the fixture application, made by the real binary without any database, judged by the real
// compiler: right.ts must compile, and every line of wrong.ts that is marked so must not.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const binary = process.env.TRUSTSTREAM_BIN ?? join(here, '../../target/release/truststream')

const project = mkdtempSync(join(tmpdir(), 'truststream-types-'))
try {
  cpSync(join(here, '../fixtures/app'), project, { recursive: true })
  cpSync(join(here, 'schema.sql'), join(project, 'supabase/migrations/20250201000000_types.sql'))
  const made = () =>
    execFileSync(binary, ['gen', 'types', '--project', project, '--from', 'migrations', '--schema', 'public,shelf'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  const first = made()
  if (first !== made()) throw new Error('the same schema gave two texts')
  mkdirSync(join(here, 'made'), { recursive: true })
  writeFileSync(join(here, 'made/database.ts'), first)
} finally {
  rmSync(project, { recursive: true, force: true })
}

try {
  execFileSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '--project', here], { stdio: 'inherit' })
} catch {
  process.exit(1)
}
console.log('the types compile, and what is wrong does not')
