// Runs the test files once for each backend: node run.mjs [--backend NAME] [file or part of its name ...]

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { BACKENDS, BEYOND } from './support/backends.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { backend: { type: 'string', multiple: true } },
})

const chosen = values.backend ?? [process.env.TRUSTSTREAM_TEST_BACKEND ?? []].flat()
const backends = chosen.length > 0 ? chosen : BACKENDS
const unknown = backends.filter((backend) => !BACKENDS.includes(backend))
if (unknown.length > 0) {
  console.error(`unknown backend ${unknown.join(', ')}: expected ${BACKENDS.join(' or ')}`)
  process.exit(2)
}

const files = readdirSync(here)
  .filter((name) => name.endsWith('.test.mjs'))
  .filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)))
  .sort()
if (files.length === 0) {
  console.error(`no test file matches ${positionals.join(', ')}`)
  process.exit(2)
}

const failed = []
for (const backend of backends) {
  const beyond = BEYOND[backend] ?? {}
  const within = files.filter((name) => !(name in beyond))
  console.log(`\n=== ${backend}: ${within.length} files`)
  for (const name of files.filter((name) => name in beyond)) console.log(`not on ${backend}: ${name}: ${beyond[name]}`)
  if (within.length > 0 && (await runFiles(backend, within)) !== 0) failed.push(backend)
}
console.log(failed.length === 0 ? `\nall passed on ${backends.join(' and ')}` : `\nfailed on ${failed.join(' and ')}`)
process.exit(failed.length === 0 ? 0 : 1)

function runFiles(backend, files) {
  const args = [
    '--test',
    '--test-reporter=spec',
    '--test-timeout=1800000',
    '--test-force-exit', // the realtime client leaves a timer behind
    `--test-concurrency=${Math.max(2, availableParallelism())}`,
    ...files,
  ]
  const child = spawn(process.execPath, args, {
    cwd: here,
    env: { ...process.env, TRUSTSTREAM_TEST_BACKEND: backend },
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
