// Goal: published packages open with their releases as history, only with what their tests need, and broken registries are
// told apart. Method: the registries that this machine is configured for; where none answers, skipped.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { git, makeGrounds } from './grounds.ts'
import { lacks, unless } from './support.ts'

const { open, overlaid } = await makeGrounds(t)

const online = (registry: 'npm' | 'python'): string | null => registry === 'npm' ? lacks('npm', 'view', 'ms', 'version') : lacks('python3', '-m', 'pip', 'index', 'versions', 'six')

t.test('opens releases of an npm package, with their history', async t => {
  if (!unless(t, online('npm'))) return
  const arena = await open('npm:find-my-way@9.3.0 - 9.5.0')
  t.match(arena, { name: 'find-my-way', runner: 'node:test', commits: 3 })
  t.ok(arena.testFiles.length > 50)
  const seen = overlaid(arena)
  t.equal(git(seen, 'status', '--porcelain'), '')
  t.same(git(seen, 'log', '--format=%s').split('\n'), ['find-my-way 9.5.0', 'find-my-way 9.4.0', 'find-my-way 9.3.0'])
  t.notMatch(git(seen, 'ls-files'), /node_modules/)
  t.ok(existsSync(join(arena.dir, 'tree', 'node_modules', 'rfdc')))
  t.notOk(existsSync(join(arena.dir, 'tree', 'node_modules', 'standard')), 'only what the tests need')
  await withEnvironment({ npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' }, async () => {
    t.equal((await open('npm:find-my-way@9.3.0 - 9.5.0')).id, arena.id, 'what was opened before opens without the registry')
    await t.rejects(open('npm:ms@2'), { code: 'ARENA_REGISTRY_UNREACHABLE', retryable: true })
  })
  await t.rejects(open('npm:this-package-does-not-exist-anywhere-1'), { code: 'ARENA_NO_SUCH_PACKAGE' })
  await t.rejects(open('npm:find-my-way@^99'), { code: 'ARENA_NO_RELEASES' })
  await t.rejects(open('npm:ms@2.1.2 - 2.1.3'), { code: 'ARENA_NO_RELEASE_WITH_TESTS', message: /2\.1\.3/ })
})

t.test('opens releases of a Python package, without a second copy of it', async t => {
  if (!unless(t, online('python'))) return
  const arena = await open('pypi:itsdangerous@>=2.1.2,<2.3')
  t.match(arena, { runner: 'pytest', ecosystem: 'python', commits: 2 })
  t.ok(arena.testFiles.length >= 4)
  const lib = join(arena.dir, 'env', 'lib')
  const packages = readdirSync(join(lib, readdirSync(lib)[0]!, 'site-packages'))
  t.notOk(packages.includes('itsdangerous'))
  t.ok(packages.some(name => name.startsWith('itsdangerous-') && name.endsWith('.dist-info')))
  t.equal(git(overlaid(arena), 'status', '--porcelain'), '')
  await t.rejects(open('pypi:this-package-does-not-exist-anywhere-1'), { code: 'ARENA_NO_SUCH_PACKAGE' })
  await t.rejects(open('pypi:itsdangerous@>=99'), { code: 'ARENA_NO_RELEASES' })
  await t.rejects(open('pypi:itsdangerous@not a range'), { code: 'OPTION_TARGET' })
  await withEnvironment({ PIP_INDEX_URL: 'http://127.0.0.1:9/simple' }, async () => {
    await t.rejects(open('pypi:six@1'), { code: 'ARENA_REGISTRY_UNREACHABLE', retryable: true })
  })
})

async function withEnvironment (values: Record<string, string>, work: () => Promise<void>): Promise<void> {
  const before = Object.keys(values).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, values)
  try { await work() } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
