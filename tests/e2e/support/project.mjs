// A temporary copy of the fixture project, configured for the backend under test.

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { PATIENT, startBackend } from './backends.mjs'
import { removeFolder, temporaryFolder } from './cleanup.mjs'

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url))

/** The backend under test. */
export const BACKEND = process.env.TRUSTSTREAM_TEST_BACKEND ?? 'sqlite'

/**
 * @param {object} [options]
 * @param {string} [options.fixture] folder under tests/fixtures
 * @param {Record<string, unknown>} [options.config] changes to supabase/config.toml, as `'section.key': value`
 * @param {string} [options.settings] more text for truststream.toml
 */
export async function createProject({ fixture = 'app', config = {}, settings = '' } = {}) {
  const folder = temporaryFolder('project')
  cpSync(join(FIXTURES, fixture), folder, { recursive: true })

  const file = join(folder, 'supabase', 'config.toml')
  let text = readFileSync(file, 'utf8')
  for (const [path, value] of Object.entries(config)) text = setKey(text, path, value)
  writeFileSync(file, text)

  const server = await startBackend(BACKEND, folder)
  writeFileSync(join(folder, 'truststream.toml'), [server.settings, settings, PATIENT].join('\n'))

  return {
    backend: BACKEND,
    folder,
    async remove() {
      await server.stop()
      removeFolder(folder)
    },
  }
}

/** Replaces the value of a key that the file already has: `setKey(text, 'auth.jwt_expiry', 60)`. */
function setKey(text, path, value) {
  const section = path.slice(0, path.lastIndexOf('.'))
  const key = path.slice(path.lastIndexOf('.') + 1)
  let inside = false
  let found = false
  const lines = text.split('\n').map((line) => {
    if (line.startsWith('[')) inside = line === `[${section}]`
    if (!inside || !line.startsWith(`${key} =`)) return line
    found = true
    return `${key} = ${JSON.stringify(value)}`
  })
  if (!found) throw new Error(`config.toml of the fixture has no ${path}`)
  return lines.join('\n')
}
