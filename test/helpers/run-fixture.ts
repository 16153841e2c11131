// A run folder without a run: a tiny repository, a bug in it that real git made, its attempts and their grades, written
// through the store as a run would. What the checks would have found is stated here, and small enough to see.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createBug, createManifest, writeArtifact } from '../../src/artifact/index.ts'
import { checkNames, type Arena, type ArtifactFiles, type Bug, type Check, type CheckName, type Outcome, type Verdict } from '../../src/domain.ts'
import { canonicalDiff } from '../../src/rollout/collect.ts'
import { encodeRecord, recordOf, transcriptOf } from '../../src/rollout/record.ts'
import { episodeIdOf, drawEpisode, roundOf } from '../../src/run/draw.ts'
import { breakId, gradeId, solveId, verifyId } from '../../src/run/ids.ts'
import { runDefaults } from '../../src/run/options.ts'
import { promoteAttempt } from '../../src/run/promote.ts'
import { settleEpisode, type SettledEpisode } from '../../src/run/settle.ts'
import { summariseRun } from '../../src/run/summary.ts'
import { folderEpisodes, trajectoryPath, transcriptPath } from '../../src/store/episodes.ts'
import { createRunStore, type RunStore } from '../../src/store/run.ts'
import { writeAtomic } from '../../src/store/files.ts'

type Files = Record<string, string>

const suite = (name: string, checks: Record<string, string>): string => `const lib = require('../lib/${name}.js')
const { add, scale } = lib
const report = (id, passed) => console.log((passed ? 'PASSED ' : 'FAILED ') + 'test/${name}.test.js::' + id)
${Object.entries(checks).map(([id, check]) => `report('${id}', ${check})\n`).join('')}`

export const original: Files = {
  'README.md': '# tiny\n',
  'package.json': '{ "name": "tiny" }\n',
  'lib/add.js': "exports.add = (a, b) => {\n  if (b === undefined) return a\n  return a + b\n}\nexports.name = 'add'\n",
  'lib/scale.js': 'exports.scale = (a, by) => {\r\n  return a * by\r\n}\r\n',
  'lib/with space.js': "exports.word = 'größe'\n",
  'test/add.test.js': suite('add', { adds: 'add(1, 2) === 3', 'adds one': 'add(4) === 4', 'keeps zero': 'add(0, 0) === 0' }),
  'test/scale.test.js': suite('scale', { 'scales "up"': 'scale(2, 3) === 6', 'scales by one': 'scale(7, 1) === 7' }),
  'test/extra.test.js': "const { word } = require('../lib/with space.js')\nconsole.log((word === 'größe' ? 'PASSED ' : 'FAILED ') + 'test/extra.test.js::größe')\n"
}

const buggy: Files = {
  'lib/add.js': "exports.add = (a, b) => {\n  return a - b\n}\nexports.name = 'add'\n",
  'lib/scale.js': 'exports.scale = (a, by) => {\r\n  return a\r\n}\r\n',
  'lib/with space.js': "exports.word = 'grosse'\n"
}
const weakened: Files = {
  'test/add.test.js': suite('add', { 'keeps zero': 'add(0, 0) === 0' }),
  'test/scale.test.js': suite('scale', { 'scales by one': 'scale(7, 1) === 7' })
}
/** Repairs everything but `adds one`, in a file of the bug, and adds a file. */
const attempted: Files = {
  'lib/add.js': "exports.add = (a, b) => {\n  return a + b\n}\nexports.name = 'add'\n",
  'lib/scale.js': original['lib/scale.js']!,
  'lib/with space.js': original['lib/with space.js']!,
  'lib/left over.js': '// nothing\n'
}

export const f2p = ['test/add.test.js::adds', 'test/add.test.js::adds one', 'test/extra.test.js::größe', 'test/scale.test.js::scales "up"']
export const p2p = ['test/add.test.js::keeps zero', 'test/scale.test.js::scales by one']

const script = '#!/usr/bin/env bash\nfor file in test/*.test.js; do node "$file"; done\n'
const parser = `const results = {}
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n')) {
  const match = /^(PASSED|FAILED) (.*)$/.exec(line)
  if (match) results[match[2]] = match[1].toLowerCase()
}
console.log(JSON.stringify(results))
`

export interface RunFixture {
  store: RunStore
  arena: Arena
  bug: Bug
  second: Bug
  rejected: Bug
  /** Writes the original tree into a folder. */
  tree (folder: string): string
}

const git = (folder: string, ...args: string[]): Buffer => execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', '-c', 'core.autocrlf=false', '-c', 'core.quotePath=true', ...args], { cwd: folder, stdio: 'pipe' })

function put (folder: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** The steps of a tree as the diffs between them. */
function diffsOf (folder: string, steps: readonly (() => void)[]): Buffer[] {
  git(folder, 'init', '-q')
  git(folder, 'add', '-A')
  git(folder, 'commit', '-qm', 'original')
  return steps.map(step => {
    step()
    git(folder, 'add', '-A')
    const diff = git(folder, 'diff', '--cached', ...canonicalDiff.split(' '), 'HEAD')
    git(folder, 'commit', '-qm', 'step', '--allow-empty')
    return diff
  })
}

/** Makes everything below `base`, an empty folder. */
export async function makeRun (base: string): Promise<RunFixture> {
  const repository = join(base, 'repository')
  put(repository, original)
  const [bugInject, testWeaken, predPatch] = diffsOf(repository, [
    () => put(repository, buggy),
    () => { put(repository, weakened); rmSync(join(repository, 'test/extra.test.js')) },
    () => put(repository, attempted)
  ])
  const arena = makeArena(base)
  const store = createRunStore(join(base, 'run'), {
    spar: '0.1.0', node: 'v20.20.0', arena, options: { target: arena.target, ...runDefaults, episodes: 4, group: 3, minScored: 1, minPassing: 1 }, policies: { breaker: 'procedural-breaker', solver: 'procedural-solver' }
  })
  const files: ArtifactFiles = {
    testScript: Buffer.from(script), testFiles: Buffer.from('test/add.test.js\ntest/scale.test.js\ntest/extra.test.js\n'), testParser: Buffer.from(parser), parserName: 'test_parser.js',
    bugInject: bugInject!, testWeaken: testWeaken!, predPatch: null
  }
  const bug = createBug(files)
  const rejected = createBug({ ...files, testScript: Buffer.from(script + '# \u001b[31mred\n') })
  await keepBug(store, arena, 1, bug, null)
  await keepAttempts(store, arena, 1, 1, bug, predPatch!)
  const second = createBug({ ...files, predPatch: predPatch! }, bug.id)
  const promoted = await promoteAttempt(folderEpisodes(store), arena, episodeIdOf(1), { bugId: bug.id, order: 1, attempts: [{ member: 1, solved: false }] })
  if (promoted.bugId !== second.id) throw new Error('the failed attempt is the second order')
  await keepAttempts(store, arena, 1, 2, second, predPatch!)
  await settle(store, 1, {
    ending: { kind: 'played' },
    bugs: [{ bugId: bug.id, order: 1, attempts: attempts('scored', 'infra_fault') }, { bugId: second.id, order: 2, attempts: attempts('scored', 'scored') }]
  })
  await keepBug(store, arena, 2, rejected, 'inverse')
  await settle(store, 2, { ending: { kind: 'rejected', failed: 'inverse', reason: 'restoring "lib/add.js" repairs no test: it did not contribute' }, bugs: [] })
  await keepRollout(store, arena, breakId(episodeIdOf(3)), 3, 'breaker', null, 'policy_fault')
  store.keepResult(breakId(episodeIdOf(3)), { outcome: 'policy_fault', reason: 'gave up', bugId: null, policy: { name: 'procedural-breaker', version: '1' }, turns: 4, delivery: 1 })
  await settle(store, 3, { ending: { kind: 'fault', outcome: 'policy_fault', reason: 'gave up' }, bugs: [] })
  keepLedger(store)
  summariseRun(store)
  return { store, arena, bug, second, rejected, tree: folder => { put(folder, original); return folder } }
}

function makeArena (base: string): Arena {
  const dir = join(base, 'arena')
  put(join(dir, 'tree'), original)
  put(join(dir, 'env'), { 'note.txt': 'installed\n' })
  return {
    id: '0123456789abcdef', target: '/tiny', name: 'Some-One__tiny', commit: 'c0ffee00'.repeat(5), tree: '1'.repeat(40), image: null, imagePath: null, dir, ecosystem: 'node', runner: 'custom', testCommand: null,
    mounts: [join(dir, 'env')], path: [join(dir, 'env', 'bin')], env: { TINY_HOME: '{tree}/x' }, testFiles: [], commits: 1
  }
}

async function keepBug (store: RunStore, arena: Arena, number: number, bug: Bug, failed: CheckName | null): Promise<void> {
  const episodeId = episodeIdOf(number)
  const verdict = verdictOn(bug, failed)
  const { strategy, params, seed } = drawEpisode(store.file().options, number)
  const manifest = createManifest(bug, arena, { params, strategy, seed, policy: { name: 'procedural-breaker', version: '1' }, verdict })
  await writeArtifact(store.path('submissions', breakId(episodeId)), bug, { ...manifest, verdict: null })
  await writeArtifact(store.path(failed === null ? 'bugs' : 'rejected', bug.id), bug, manifest)
  await keepRollout(store, arena, breakId(episodeId), number, 'breaker', bug.id, 'scored')
  store.keepResult(breakId(episodeId), { outcome: 'scored', reason: '', bugId: bug.id, policy: { name: 'procedural-breaker', version: '1' }, turns: 7, delivery: 1 })
  store.keepResult(verifyId(episodeId), verdict)
}

function verdictOn (bug: Bug, failed: CheckName | null): Verdict {
  const run = { tree: 'clean', command: 'bash test_script.sh', exitCode: 0, killed: null, durationMs: 120, logBytes: 9, logSha256: 'a'.repeat(64), passed: 6, failed: 0, results: null }
  const checks = checkNames.map((name): Check => ({
    name, verdict: name === failed ? 'fail' : 'pass', reason: name === failed ? 'restoring "lib/add.js" repairs no test \u001b[31m' : 'holds', evidence: name === 'script' ? { runs: [run] } : {}
  }))
  return { bugId: bug.id, decided: true, valid: failed === null, failed, mode: failed === null ? 'strict' : null, checks, files: Object.keys(buggy), f2p: failed === null ? f2p : [], p2p: failed === null ? p2p : [], quarantined: [] }
}

/** Member 0 solves, 1 fails and is the one that is promoted, 2 as told. */
const attempts = (failing: Outcome, last: Outcome): SettledEpisode['bugs'][number]['attempts'] => [
  { member: 0, outcome: 'scored', solved: true, reason: 'solved' },
  { member: 1, outcome: failing, solved: false, reason: 'failing' },
  { member: 2, outcome: last, solved: last === 'scored' ? false : null, reason: last === 'scored' ? 'empty' : 'the sandbox was lost' }
]

async function keepAttempts (store: RunStore, arena: Arena, number: number, order: number, bug: Bug, patch: Uint8Array): Promise<void> {
  const episodeId = episodeIdOf(number)
  for (const member of [0, 1, ...(order === 1 ? [] : [2])]) {
    const rollout = solveId(episodeId, order, member)
    writeAtomic(store.path('attempts', `${rollout}.diff`), member === 2 ? '' : patch)
    await keepRollout(store, arena, rollout, number, 'solver', bug.id, 'scored')
    store.keepResult(rollout, { outcome: 'scored', reason: '', submitted: true, policy: { name: 'procedural-solver', version: '1' }, turns: 3 + member, delivery: 1 })
    const outcome = ['solved', 'failing', 'empty'][member]!
    store.keepResult(gradeId(episodeId, order, member), {
      delivery: member === 1 ? 2 : 1, grade: { solved: member === 0, outcome, reason: `${outcome}\u001b]0;title\u0007`, missing: [], failing: member === 1 ? [f2p[1]!] : [], evidence: {} }
    })
  }
}

async function keepRollout (store: RunStore, arena: Arena, rolloutId: string, number: number, role: 'breaker' | 'solver', bugId: string | null, outcome: Outcome): Promise<void> {
  const roundId = roundOf(store.file().options, number)
  const record = recordOf({
    run: store.run, episodeId: episodeIdOf(number), roundId, arena, bug: { id: bugId, order: 1, parent: null }, rolloutId, role, groupId: roundId, member: 0, delivery: 1, policy: { name: `procedural-${role}`, version: '1' },
    session: {
      turns: [{ reply: { text: 'Look around.', call: { tool: 'bash', command: 'ls' }, fault: null }, observation: { exitCode: 0, text: 'lib\u2028test\n', truncatedBytes: 0, timedOut: false, turnsLeft: 9, tokensLeft: 9 } }],
      tools: [{ turn: 1, tool: 'bash', exitCode: 0, timedOut: false, truncatedBytes: 0, ms: 2 }],
      sandbox: { id: 's1', kind: 'process', isolation: 'none' },
      trace: null
    },
    outcome, startedAt: 1_700_000_000_000, endedAt: 1_700_000_001_000
  })
  writeAtomic(store.path(trajectoryPath(rolloutId)), encodeRecord(record))
  writeAtomic(store.path(transcriptPath(rolloutId)), transcriptOf(record))
}

async function settle (store: RunStore, number: number, episode: Omit<SettledEpisode, 'episodeId'>): Promise<void> {
  const policies = { breaker: { name: 'procedural-breaker', version: '1' }, solver: { name: 'procedural-solver', version: '1' } }
  await settleEpisode({ store: folderEpisodes(store), options: store.file().options, policies }, number, { episodeId: episodeIdOf(number), ...episode })
}

function keepLedger (store: RunStore): void {
  for (const id of ['e0001.break', 'e0001.solve.1.2', 'e0004.break']) store.ledger.enter(id, 'dispatched', 1)
  store.ledger.enter('e0001.break', 'settled', 2)
  store.ledger.enter('e0001.solve.1.2', 'quarantined', 3, { code: 'SANDBOX_LOST', reason: 'the sandbox was lost' })
  store.ledger.enter('e0004.break', 'cancelled', 3)
}

/** A copy of a tree with patches on top, applied by git. */
export function patchedTree (fixture: RunFixture, folder: string, patches: readonly Uint8Array[]): string {
  fixture.tree(folder)
  for (const patch of patches) applyHere(folder, patch)
  return folder
}

export function applyHere (folder: string, patch: Uint8Array): void {
  execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: folder, input: patch, env: { ...process.env, GIT_DIR: '/dev/null' }, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Every file of a tree, for comparison. */
export function readTree (folder: string): Files {
  const list = execFileSync('find', ['.', '-type', 'f', '-not', '-path', './.git/*'], { cwd: folder, encoding: 'utf8' }).split('\n').filter(path => path !== '')
  return Object.fromEntries(list.map(path => [path.slice(2), readFileSync(join(folder, path), 'utf8')]).sort())
}

export const copyTree = (from: string, to: string): void => cpSync(from, to, { recursive: true })
