// Goal: whatever is wrong with what a user names, the command says so in one line with a stable code, ends with another exit
// code than 0, and prints the same as an object with --json. Method: the real command line; real repositories in folders with
// odd names; a registry of our own that fails in every way.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { git, nodeTests } from '../arena/grounds.ts'
import { writeTree } from '../arena/support.ts'
import { openRegistry, type Breakage } from '../helpers/registry.ts'
import { spar } from '../helpers/spar.ts'

const root = mkdtempSync(join(tmpdir(), 'spar bad "input" ü\'-'))
t.teardown(() => {
  execFileSync('chmod', ['-R', 'u+rwX', root])
  rmSync(root, { recursive: true, force: true })
})
const home = join(root, 'home')

/** Plays with --json; the code that the object names, the exit code, and what a person reads. */
async function play (target: string, env: Record<string, string> = {}, more: string[] = ['--sandbox', 'process']) {
  const ran = await spar(['play', target, '--json', '--out', join(root, 'out'), ...more], { home, cwd: root, env })
  return { exit: ran.code, code: ran.json?.error?.code, message: ran.json?.error?.message as string, retryable: ran.json?.error?.retryable, err: ran.err }
}

function repository (name: string, files: Record<string, string>): string {
  const folder = join(root, name)
  mkdirSync(folder)
  git(folder, 'init', '-q', '-b', 'trunk')
  writeTree(folder, files)
  git(folder, 'add', '-A')
  git(folder, 'commit', '-q', '-m', 'x')
  return folder
}

t.test('a target that cannot be played on', async t => {
  const failing = nodeTests(11, "throw new Error('x')")
  writeTree(root, { 'plain folder/a.txt': 'x' })
  const rows: [string, string, string, RegExp][] = [
    ['no repository', join(root, 'plain folder'), 'ARENA_NOT_A_REPOSITORY', /plain folder/],
    ['no tests', repository('no "tests"', { 'a.js': '' }), 'ARENA_NO_TESTS', /no "tests".*--test/s],
    ['tests that fail', repository('größe \'rot\' $HOME', { 'test/größe "x".test.js': failing }), 'ARENA_TESTS_FAIL', /größe 'rot' \$HOME/],
    ['a name that is none', 'npm:', 'OPTION_TARGET', /npm:/]
  ]
  for (const [what, target, code, message] of rows) {
    const played = await play(target)
    t.match(played, { exit: code.startsWith('OPTION_') ? 64 : 2, code, message }, what)
    t.match(played.err, `[${code}]`, `${what}: a person reads it too`)
    t.notMatch(played.err, /^ +at .*src\/cli/m, `${what}: no stack trace`)
  }
  t.strictSame(readdirSync(join(home, 'arenas', '.opening')), [], 'nothing half-made is left')
})

t.test('a repository whose folder and files have spaces, quotes and letters of any kind is opened and shown', async t => {
  const folder = repository('it\'s a "größe" $(x) `y`', { 'lib/ö "q".js': 'exports.a = 1\n', 'test/ü \'x\' $y.test.js': nodeTests(11) })
  const added = await spar(['arena', 'add', folder, '--json', '--sandbox', 'process'], { home, cwd: root })
  t.match(added, { code: 0, json: { target: folder, testFiles: [{ path: 'test/ü \'x\' $y.test.js', passed: 11 }] } }, added.err)
})

t.test('a registry that is broken', async t => {
  const python = ((): boolean => { try { execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' }); return true } catch { return false } })()
  const rows: [Breakage, string, boolean][] = [
    ['status 500', 'ARENA_REGISTRY_UNREACHABLE', true], ['hangs', 'ARENA_REGISTRY_UNREACHABLE', true], ['nonsense', 'ARENA_REGISTRY_UNREACHABLE', true],
    ['torn', 'ARENA_BAD_ARCHIVE', false], ['corrupt', 'ARENA_BAD_ARCHIVE', false]
  ]
  for (const [breakage, code, retryable] of rows) {
    const registry = await openRegistry(breakage, join(root, 'cache', breakage))
    try {
      for (const target of ['npm:thing', ...(python ? ['pypi:thing'] : [])]) {
        const played = await play(target, registry.env)
        t.match(played, { exit: 2, code, retryable, message: /thing/ }, `${target}, ${breakage}: ${played.err}`)
      }
    } finally {
      await registry.close()
    }
  }
})

t.test('an engine that does not answer', async t => {
  const played = await play(root, { DOCKER_HOST: 'tcp://127.0.0.1:9' }, ['--sandbox', 'docker'])
  t.match(played, { exit: 2, code: 'SANDBOX_NO_ENGINE', message: /DOCKER_HOST.*process sandboxes/ }, played.err)
})

t.test('a file where a folder has to be', async t => {
  writeFileSync(join(root, 'file'), 'x')
  const folder = repository('whole', { 'a.js': '', 'test/a.test.js': nodeTests(11) })
  const ran = await spar(['play', folder, '--json', '--sandbox', 'process', '--out', join(root, 'file', 'out')], { home, cwd: root })
  t.match(ran, { code: 2, json: { error: { code: 'STORE_WRITE_FAILED' } } }, ran.err)
})
