// Goal: what a user can name opens, once, and what cannot be played on is refused with the reason. Method: real
// repositories and real sandboxes.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openStore } from '../../src/arena/store.ts'
import { systemClock } from '../../src/clock.ts'
import { git, makeGrounds, nodeTests } from './grounds.ts'
import { writeTree } from './support.ts'

const { root, home, lines, open, repository, overlaid } = await makeGrounds(t)

t.test('opens a local repository at its commit, without what was never committed', async t => {
  const folder = repository({ 'index.js': 'exports.a = 1\n', '.gitattributes': '* text=auto\n' }, { 'test/a.test.js': nodeTests(12), 'crlf.txt': 'one\r\n', 'with space/ü.js': '' })
  git(folder, 'branch', 'future')
  git(folder, 'checkout', '-q', 'future')
  writeTree(folder, { 'secret.txt': 'the fix' })
  git(folder, 'add', '-A')
  git(folder, 'commit', '-q', '-m', 'later')
  const later = git(folder, 'rev-parse', 'HEAD')
  git(folder, 'checkout', '-q', 'trunk')
  writeTree(folder, { 'index.js': 'uncommitted\n', 'untracked.js': '', '.git/hooks/post-checkout': '#!/bin/sh\nexit 1\n' })

  const arena = await open(folder)
  t.match(arena, { ecosystem: 'node', runner: 'node:test', commits: 2, commit: git(folder, 'rev-parse', 'HEAD'), image: null, testFiles: [{ path: 'test/a.test.js', passed: 12, failed: 0 }] })
  t.equal(readFileSync(join(arena.dir, 'tree', 'index.js'), 'utf8'), 'exports.a = 1\n')
  t.notOk(existsSync(join(arena.dir, 'tree', '.git')))
  t.notOk(existsSync(join(arena.dir, 'git', '.git', 'hooks')))
  const seen = overlaid(arena)
  t.equal(git(seen, 'status', '--porcelain'), '', 'clean')
  t.equal(git(seen, 'rev-list', '--all', '--count'), '2')
  t.not(spawnSync('git', ['cat-file', '-e', later], { cwd: seen }).status, 0, 'nothing of other branches can be read')
  t.same(readdirSync(arena.dir).sort(), ['arena.json', 'env', 'git', 'tree'])

  lines.length = 0
  t.equal((await open(folder)).id, arena.id)
  t.same(lines, [], 'the second time nothing is done')
})

t.test('two that open the same target at once get the same arena', async t => {
  const folder = repository({ 'test/a.test.js': nodeTests(11) })
  const [one, other] = await Promise.all([open(folder), open(folder)])
  t.same(one, other)
})

t.test('leaves out files that fail, flake or hang, and says so', async t => {
  const folder = repository({
    'test/good.test.js': nodeTests(12),
    'test/bad.test.js': nodeTests(1, "throw new Error('x')"),
    'test/flaky.test.js': nodeTests(1) + 'test(String(process.hrtime()), () => {})\n',
    'test/broken.test.js': "require('./missing')\n" + nodeTests(1),
    'test/hanging.test.js': nodeTests(1) + 'setInterval(() => {}, 1000)\n'
  })
  const arena = await open(folder, { limits: { testMsMax: 6000 } })
  t.same(arena.testFiles, [{ path: 'test/good.test.js', passed: 12, failed: 0 }])
  const { dropped } = await (await openStore(home, systemClock)).find(arena.id)
  t.same(dropped.map(({ path }) => path).sort(), ['test/bad.test.js', 'test/broken.test.js', 'test/flaky.test.js', 'test/hanging.test.js'])
})

t.test('refuses what cannot be played on, with the reason and the way out', async t => {
  const plain = join(root, 'plain')
  mkdirSync(plain)
  const refusals: [string, () => Promise<unknown>, string, RegExp][] = [
    ['a folder without git', () => open(plain), 'ARENA_NOT_A_REPOSITORY', /not a git repository/],
    ['a repository without a commit', () => open(repository()), 'ARENA_NOT_A_REPOSITORY', /no commit yet/],
    ['a folder of a repository', () => open(join(repository({ 'sub/a.js': '' }), 'sub')), 'ARENA_NOT_A_REPOSITORY', /folder of/],
    ['a URL that is none', () => open(`file://${root}/nothing.git`), 'ARENA_NOT_A_REPOSITORY', /nothing\.git/],
    ['a host that does not answer', () => open('http://127.0.0.1:9/a/b.git'), 'ARENA_REMOTE_UNREACHABLE', /network/],
    ['a branch that is not there', () => open(`file://${repository({ 'a.js': '' })}@no-such-branch`), 'ARENA_NOT_A_REPOSITORY', /no branch or tag/],
    ['no tests', () => open(repository({ 'index.js': '' })), 'ARENA_NO_TESTS', /--test/],
    ['tests that fail', () => open(repository({ 'test/a.test.js': nodeTests(6), 'test/b.test.js': nodeTests(8, "throw new Error('x')") })), 'ARENA_TESTS_FAIL', /only 6 of 14 tests pass.*--setup/s],
    ['too few tests', () => open(repository({ 'test/a.test.js': nodeTests(9) })), 'ARENA_TESTS_FAIL', /passingMin = 10/],
    ['tests that give nothing', () => open(repository({ 'test/a.test.js': "require('./missing')\n" + nodeTests(1) })), 'ARENA_TESTS_FAIL', /no results[\s\S]*missing/],
    ['a setup that fails', () => open(repository({ 'test/a.test.js': nodeTests(11) }), { setup: 'echo about to fail; exit 3' }), 'ARENA_INSTALL_FAILED', /ends with 3[\s\S]*about to fail/],
    ['a test command that says nothing', () => open(repository({ 'test/a.test.js': nodeTests(11) }), { test: 'echo fine' }), 'ARENA_UNREADABLE_LOG', /fine/],
    ['an image for process sandboxes', () => open('docker:image#/testbed'), 'ARENA_NEEDS_DOCKER', /docker/]
  ]
  for (const [name, attempt, code, message] of refusals) await t.rejects(attempt(), { code, message }, name)
  const left = readdirSync(join(home, 'arenas', '.opening'))
  t.same(left, [], 'nothing half-made is left')
})

t.test('runs a setup command with the network and keeps what it made', async t => {
  const folder = repository({ 'test/a.test.js': "const made = require('../made/x.js')\n" + nodeTests(11, "if (made !== 7) throw new Error('x')") })
  const setup = "mkdir -p made && echo 'module.exports = 7' > made/x.js && chmod 755 made/x.js && ln -s made/x.js link && echo changed >> test/a.test.js"
  const arena = await open(folder, { setup })
  t.equal(arena.testFiles[0]?.passed, 11)
  t.notMatch(readFileSync(join(arena.dir, 'tree', 'test', 'a.test.js'), 'utf8'), /changed/, 'committed files stay as committed')
  t.equal(git(overlaid(arena), 'status', '--porcelain'), '')
  t.not((await open(folder).catch(error => error)).id, arena.id, 'without the command it is another arena')
})

t.test('runs the user\'s own test command, with files and without', async t => {
  const script = "for (const file of process.argv.slice(2)) { console.log(file); for (let i = 0; i < 6; i++) console.log('  ✓ ' + file.length + ' number ' + i + ' (3ms)') }\n"
  const folder = repository({ 'run.js': script, 'test/one.js': '', 'test/longer.js': '' })
  const arena = await open(folder, { test: 'node run.js {files}' })
  t.match(arena, { runner: 'custom', testCommand: 'node run.js {files}', testFiles: [{ path: 'test/longer.js', passed: 6 }, { path: 'test/one.js', passed: 6 }] })
  const whole = await open(folder, { test: 'node run.js a.js bc.js' })
  t.same(whole.testFiles.map(({ passed }) => passed), [12, 12])
})

t.test('a folder that a crash left is taken away, another\'s work is not', async t => {
  const folder = repository({ 'test/a.test.js': nodeTests(13) })
  const arena = await open(folder)
  rmSync(join(arena.dir, 'arena.json'))
  const dead = spawnSync('true').pid
  const owner = JSON.parse(readFileSync(await ownerFile(), 'utf8')) as Record<string, unknown>
  writeFileSync(join(arena.dir, 'opening.json'), JSON.stringify({ ...owner, pid: dead, startedAt: '1' }))
  const store = await openStore(home, systemClock)
  t.notOk(existsSync(arena.dir))
  await t.rejects(store.find(arena.id), { code: 'ARENA_UNKNOWN' })
  t.equal((await open(folder)).id, arena.id, 'and it is opened afresh')

  const busy = await store.workspace()
  await openStore(home, systemClock)
  t.ok(existsSync(busy), 'a workspace of a living process stays')
  rmSync(busy, { recursive: true })
})

async function ownerFile (): Promise<string> {
  return join(await (await openStore(home, systemClock)).workspace(), 'opening.json')
}

t.test('finds, lists and removes arenas', async t => {
  const folder = repository({ 'test/a.test.js': nodeTests(14) })
  const arena = await open(folder)
  const store = await openStore(home, systemClock)
  t.equal((await store.load(folder)).id, arena.id, 'by target')
  t.equal((await store.load(arena.id.slice(0, 8))).id, arena.id, 'by the beginning of its id')
  t.ok((await store.list()).some(record => record.arena.id === arena.id))
  await store.remove(arena.id)
  t.notOk(existsSync(arena.dir))
  await t.rejects(store.remove(arena.id), { code: 'ARENA_UNKNOWN' })
})
