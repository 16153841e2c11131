// Opens a target: resolve what it stands for, take an arena that was opened before, or fetch it, find how its tests run,
// install what they need, run them once, and keep what passed. One arena is opened once, whoever asks.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Arena, RunnerName } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Clock, Sandboxes } from '../ports.ts'
import { withWholeOutput } from '../sandbox/node-output.ts'
import { inspectImage, openImage } from './docker.ts'
import { install } from './install/index.ts'
import { arenaLimits, type ArenaLimits } from './limits.ts'
import { checkOut, trackedFiles, type Checkout, type Repository } from './repository.ts'
import { customCommand, customRunner } from './runners/custom.ts'
import { findRunner, isTestPath, runners, type FoundRunner, type Runner } from './runners/index.ts'
import { scriptHead } from './runners/script.ts'
import type { TreeReader } from './runners/types.ts'
import { resolveSource } from './source.ts'
import { openStore, removeAll, type ArenaRecord, type ArenaStore } from './store.ts'
import { nameOf, parseTarget, type Target } from './target.ts'
import { toolchainOf } from './toolchain.ts'
import { folderReader } from './tree-reader.ts'
import { tryTests, type Trial } from './trial.ts'

export interface OpenOptions {
  target: string
  /** Spar's state folder; arenas are kept below it. */
  home: string
  /** bash command that prepares the tree instead of our own installation; runs in a sandbox with network. */
  setup?: string
  /** bash command that runs the tests; `{files}` stands for the chosen test files. */
  test?: string
  sandboxKind: Sandboxes['kind']
  limits?: Partial<ArenaLimits>
  onProgress? (line: string): void
  signal?: AbortSignal
}

export interface OpenPorts { sandboxes: Sandboxes; clock: Clock }

interface Opening {
  options: Required<Pick<OpenOptions, 'target' | 'home' | 'onProgress'>> & { setup: string | null; test: string | null; signal: AbortSignal | null }
  target: Target
  limits: ArenaLimits
  store: ArenaStore
  ports: OpenPorts
}

export async function openArena (options: OpenOptions, ports: OpenPorts): Promise<Arena> {
  const opening: Opening = {
    options: { target: options.target, home: options.home, setup: options.setup ?? null, test: options.test ?? null, onProgress: options.onProgress ?? (() => {}), signal: options.signal ?? null },
    target: parseTarget(options.target),
    limits: { ...arenaLimits, ...options.limits },
    store: await openStore(options.home, ports.clock),
    ports
  }
  if (opening.target.kind === 'docker') {
    if (options.sandboxKind !== 'docker') throw new SparError('ARENA_NEEDS_DOCKER', `Cannot open ${options.target} with process sandboxes: its tree is inside of an image. Use --sandbox docker`)
    return openInImage(opening, opening.target)
  }
  return openOnHost(opening, opening.target)
}

async function openOnHost (opening: Opening, target: Exclude<Target, { kind: 'docker' }>): Promise<Arena> {
  const { store, limits, options } = opening
  const workspace = await store.workspace()
  try {
    const resolved = await resolveSource(target, join(workspace, 'download'), limits).catch(async error => {
      // A registry that is away does not make what was opened before unusable.
      const known = error instanceof SparError && error.retryable ? (await store.list()).find(record => record.arena.target === options.target && isSameWish(record, opening)) : undefined
      if (known === undefined) throw error
      options.onProgress(`${error.message}. Taking ${known.label} as it was opened before`)
      return known
    })
    if ('arena' in resolved) return resolved.arena
    const known = (await store.list()).find(record => record.key === resolved.key && isSameWish(record, opening))
    if (known !== undefined && known.toolchain === await toolchainOf(known.arena.ecosystem, limits)) return { ...known.arena, target: options.target }

    const folder = join(workspace, 'arena')
    const repository: Repository = { git: join(folder, 'git'), tree: join(folder, 'tree') }
    await resolved.materialise(repository, join(workspace, 'download'), options.onProgress)
    const checkout = await checkOut(repository, limits)
    const reader = folderReader(repository.tree, await trackedFiles(repository, limits), limits.sourceBytesMax)
    const found = await detect(reader, opening)
    options.onProgress(`${resolved.label}: tests run with ${found.runner} (${found.evidence})`)

    const toolchain = await toolchainOf(found.ecosystem, limits)
    const id = arenaId([checkout.commit, checkout.tree, found.runner, toolchain, options.setup ?? '', options.test ?? ''])
    const claimed = await store.claim(id, folder)
    if ('arena' in claimed) return { ...claimed.arena, target: options.target }
    try {
      return await furnish({ opening, found, checkout, id, dir: claimed.dir, key: resolved.key, label: resolved.label, toolchain })
    } catch (error) {
      await store.abandon(id)
      throw error
    }
  } finally {
    await removeAll(workspace)
  }
}

interface Furnishing { opening: Opening; found: Found; checkout: Checkout; id: string; dir: string; key: string; label: string; toolchain: string }

/** Installs, tries, keeps. The folder is at its last place already: environments hold their own path. */
async function furnish ({ opening, found, checkout, id, dir, key, label, toolchain }: Furnishing): Promise<Arena> {
  const { options, limits, store, target } = opening
  const bare: Arena = {
    id, target: options.target, name: nameOf(target), commit: checkout.commit, tree: checkout.tree, image: null, imagePath: null, dir, ecosystem: found.ecosystem, runner: found.runner,
    testCommand: options.test, mounts: [], path: [], env: { TZ: 'UTC' }, testFiles: [], commits: checkout.commits
  }
  const tracked = await trackedFiles({ git: join(dir, 'git'), tree: join(dir, 'tree') }, limits)
  const reader = folderReader(join(dir, 'tree'), tracked, limits.sourceBytesMax)
  const installed = await install({ arena: bare, found: { ...found, runner: found.installAs ?? found.runner }, reader, tracked, setup: options.setup, limits, onProgress: options.onProgress, ports: opening.ports, signal: options.signal })
  const arena: Arena = { ...bare, mounts: installed.mounts, path: installed.path, env: { ...bare.env, ...installed.env } }
  return await tryAndKeep(arena, { opening, found, key, label, toolchain, notes: installed.notes, store })
}

interface Keeping { opening: Opening; found: Found; key: string; label: string; toolchain: string; notes: string[]; store: ArenaStore }

async function tryAndKeep (arena: Arena, { opening, found, key, label, toolchain, notes, store }: Keeping): Promise<Arena> {
  const { options, limits, ports } = opening
  options.onProgress(`running the tests of ${found.testFiles.length} files`)
  const runner = await runnerOf(arena, found, opening)
  const trial = await tryTests(arena, runner, found.testFiles, limits, ports, options.signal ?? undefined)
  refuseUnplayable(options.target, trial, notes, limits)
  const kept: Arena = { ...arena, testFiles: trial.files }
  await store.complete({ arena: kept, key, label, setup: options.setup, toolchain, evidence: found.evidence, dropped: trial.dropped, notes })
  options.onProgress(`${trial.passing} tests of ${trial.files.length} files pass${trial.dropped.length > 0 ? `; ${trial.dropped.length} files left out (${trial.dropped[0]!.path}: ${trial.dropped[0]!.reason})` : ''}`)
  return kept
}

/** A runner of the table, or `custom` with whatever files look like tests; `installAs` is what was found without the user's word. */
type Found = FoundRunner & { runner: RunnerName; installAs?: RunnerName }

async function detect (reader: TreeReader, { options }: Opening): Promise<Found> {
  const found = await findRunner(reader)
  if (options.test !== null) {
    const paths = await reader.list()
    const looksLikeTest = paths.filter(path => isTestPath(path) && /\.([cm]?[jt]sx?|py|go|sh)$/.test(path))
    const testFiles = found?.testFiles ?? looksLikeTest
    if (testFiles.length === 0) throw new SparError('ARENA_NO_TESTS', `Cannot open ${options.target}: no file looks like a test, so there is nothing for --test to choose from`)
    return { runner: 'custom', ecosystem: found?.ecosystem ?? ecosystemOf(paths), evidence: `given with --test "${options.test}"`, testFiles, installAs: found?.runner ?? 'custom' }
  }
  if (found !== null) return found
  throw new SparError('ARENA_NO_TESTS', `Cannot open ${options.target}: no tests were found that pytest, unittest, node:test, tap, tape, mocha, jest, vitest or go test would run. ` +
    'Say how they run with --test "command {files}"')
}

function ecosystemOf (paths: readonly string[]): Arena['ecosystem'] {
  const count = (pattern: RegExp): number => paths.filter(path => pattern.test(path)).length
  const counts = { node: count(/\.[cm]?[jt]sx?$/), python: count(/\.py$/), go: count(/\.go$/) }
  return (Object.keys(counts) as Arena['ecosystem'][]).reduce((best, one) => counts[one] > counts[best] ? one : best)
}

async function runnerOf (arena: Arena, found: Found, { options, limits, ports }: Opening): Promise<Runner> {
  if (found.runner !== 'custom') return runners[found.runner]
  const sandbox = await ports.sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'arena', purpose: 'sample' } })
  try {
    const script = scriptHead('the given command', found.testFiles) + customCommand(options.test!) + '\n'
    await sandbox.writeFile(`${sandbox.scratch}/sample.sh`, Buffer.from(script), 0o755)
    const { output, killed } = await sandbox.exec(withWholeOutput(`bash "${sandbox.scratch}/sample.sh"`, sandbox), { timeoutMs: limits.testMsMax, outputBytesMax: limits.logBytesMax })
    if (killed === 'timeout') throw new SparError('ARENA_TESTS_FAIL', `Cannot open ${options.target}: --test "${options.test}" does not end within testMsMax = ${limits.testMsMax} ms`)
    return customRunner(options.test!, Buffer.from(output).toString('utf8'), found.ecosystem)
  } finally {
    await sandbox.destroy()
  }
}

function refuseUnplayable (target: string, trial: Trial, notes: readonly string[], limits: ArenaLimits): void {
  const refuse = (why: string): never => {
    const hints = notes.length > 0 ? ` Left out: ${notes.join('; ')}.` : ''
    throw new SparError('ARENA_TESTS_FAIL', `Cannot play on ${target}: ${why}.${hints} Prepare the tree with --setup "command", or say how its tests run with --test "command {files}".\n${trial.logTail}`, {
      data: { passed: trial.passed, failed: trial.failed, dropped: trial.dropped.slice(0, 50) }
    })
  }
  const all = trial.passed + trial.failed
  if (all === 0) refuse('its tests give no results')
  if (trial.passed < limits.passShareMin * all) refuse(`only ${trial.passed} of ${all} tests pass, under passShareMin = ${limits.passShareMin}`)
  if (trial.passing < limits.passingMin) {
    const reasons = trial.dropped.slice(0, 3).map(({ path, reason }) => `${path}: ${reason}`).join('; ')
    refuse(`only ${trial.passing} tests in files without failures pass, under passingMin = ${limits.passingMin}${reasons === '' ? '' : ` (${reasons})`}`)
  }
}

function isSameWish (record: ArenaRecord, { options }: Opening): boolean {
  return record.setup === options.setup && record.arena.testCommand === options.test
}

const arenaId = (parts: readonly string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)

async function openInImage (opening: Opening, target: Extract<Target, { kind: 'docker' }>): Promise<Arena> {
  const { options, store, limits, ports } = opening
  const image = await inspectImage(target.image)
  const key = `docker ${image} ${target.path}`
  const known = (await store.list()).find(record => record.key === key && isSameWish(record, opening))
  if (known !== undefined) return { ...known.arena, target: options.target }
  const opened = await openImage({ target, image, asked: options.target, setup: options.setup, limits, sandboxes: ports.sandboxes, detect: reader => detect(reader, opening) })
  options.onProgress(`${options.target}: tests run with ${opened.found.runner} (${opened.found.evidence})`)
  const id = arenaId([image, target.path, opened.commit, opened.tree, opened.found.runner, options.test ?? ''])
  const workspace = await store.workspace()
  try {
    const claimed = await store.claim(id, workspace)
    if ('arena' in claimed) return { ...claimed.arena, target: options.target }
    const arena: Arena = {
      id, target: options.target, name: nameOf(target), commit: opened.commit, tree: opened.tree, image, imagePath: target.path, dir: claimed.dir, ecosystem: opened.found.ecosystem,
      runner: opened.found.runner, testCommand: options.test, mounts: [], path: [], env: { TZ: 'UTC', ...opened.env }, testFiles: [], commits: opened.commits
    }
    try {
      return await tryAndKeep(arena, { opening, found: opened.found, key, label: `${target.image} at ${image.slice(7, 19)}`, toolchain: image, notes: opened.notes, store })
    } catch (error) {
      await store.abandon(id)
      throw error
    }
  } finally {
    await removeAll(workspace)
  }
}
