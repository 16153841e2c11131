// The runs of one verification. While the bug's patch is looked through the trees of the first runs are made ready. Then all runs
// that will be needed are started at once, in the order of the checks, and wait for cores first come, first served; so the first
// check's run is the first that starts, and no core idles while a later check still needs one. The weakened tree, which has fewest
// tests and runs shortest, comes last where no check waits behind it and nobody else has a core: it fills the gap at the end. `close`
// ends what is not needed any more.

import { setMaxListeners } from 'node:events'
import type { PatchFile } from '../artifact/index.ts'
import { SparError } from '../errors.ts'
import type { Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'
import type { Finding } from '../workers/survey/survey.ts'
import { unreadable } from './blind.ts'
import { cleanRunKey } from './clean-runs.ts'
import { splitByHistory } from './history.ts'
import { unitName, withoutUnits, type Plan } from './plan.ts'
import { createBench, isOwnScript, openTree, openView, runTree, type BenchOptions, type RunOptions } from './run.ts'
import { readSides, surveyFiles, withNewlines } from './survey.ts'
import { pathsAsInput, writeFiles } from './tree.ts'
import type { TreeRun, VerifyPorts } from './types.ts'

export interface Runs {
  /** Paths that are no regular files in the original tree. */
  absent (paths: readonly string[]): Promise<string[]>
  /** What the bug's patch puts into files, found without a run. */
  survey (): Promise<{ fresh: Finding[]; old: Finding[] }>
  /** Makes ready every run that the checks need if all of them pass; none with the bug begins before `begin`. */
  prepareAll (repeats: number): void
  begin (): void
  clean (repeat: number): Promise<TreeRun>
  /** Repeats have a newline more at the end of the bug's files: what fails for the text of a file does not fail then. */
  buggy (repeat: number): Promise<TreeRun>
  weakened (): Promise<TreeRun>
  /** The buggy tree without a test file that can be read; null where the script is one of ours. */
  blind (): Promise<TreeRun | null>
  /** The buggy tree with these files restored. */
  restored (units: readonly PatchFile[]): Promise<TreeRun>
  /** Ends what still runs and waits until every sandbox is gone. */
  close (): Promise<void>
}

/** Listeners that the signal of a verification may have beside one for each run: node's own default. */
const listenersBesides = 10

export function createRuns (plan: Plan, options: BenchOptions, ports: Pick<VerifyPorts, 'sandboxes' | 'cores' | 'cleanRuns' | 'readLog' | 'survey'>): Runs {
  const ended = new AbortController()
  const started = new Map<string, Promise<TreeRun>>()
  const bench = createBench(options, ports)
  let first: Promise<Sandbox> | null = null
  let begin!: () => void
  const begun = new Promise<void>(resolve => { begin = resolve })
  let sides: ReturnType<typeof readSides> | null = null
  const ownScript = isOwnScript(options)

  /** A tree for reading, untouched so far. */
  const untouched = async (): Promise<Sandbox> => {
    first ??= openTree(bench, 'weakened', ended.signal)
    first.catch(() => {})
    return await first
  }

  const readAll = (): ReturnType<typeof readSides> => sides ??= untouched().then(async sandbox => await readSides(sandbox, plan.units, options.limits))

  const askHistory = async (found: readonly Finding[]): Promise<{ fresh: Finding[]; old: Finding[] }> => {
    const sandbox = await openView(bench, 'history', 'history', ended.signal)
    try {
      return await splitByHistory(sandbox, found, options.limits, ended.signal)
    } finally {
      await sandbox.destroy()
    }
  }

  const once = (key: string, start: () => Promise<TreeRun>): Promise<TreeRun> => {
    const known = started.get(key)
    if (known !== undefined) return known
    // A run waits at one place at a time: in the queue for a tree, for a core or a parser, or on its command.
    setMaxListeners(started.size + 1 + listenersBesides, ended.signal)
    const run = start()
    run.catch(() => {})
    started.set(key, run)
    return run
  }
  const run = async ({ finish, ...options }: Omit<RunOptions, 'signal'>): Promise<TreeRun> => await runTree(bench, {
    ...options, signal: ended.signal,
    finish: async sandbox => {
      const known = await finish?.(sandbox)
      await begun
      return known
    }
  })

  const runs: Runs = {
    async absent (paths) {
      return await absentPaths(await untouched(), paths)
    },
    async survey () {
      const read = await readAll()
      const found = [...read.unread, ...await ports.survey(surveyFiles(read.sides), ended.signal)]
      return found.length === 0 || options.arena.commits < 2 ? { fresh: found, old: [] } : await askHistory(found)
    },
    prepareAll (repeats) {
      readAll().catch(() => {})
      const isShortLast = ports.cores.active === 0 && plan.units.length === 1
      void runs.clean(0)
      void runs.buggy(0)
      if (!isShortLast) void runs.weakened()
      void runs.blind()
      if (plan.units.length > 1) for (const unit of plan.units) void runs.restored([unit])
      for (let repeat = 1; repeat < repeats; repeat++) {
        void runs.clean(repeat)
        void runs.buggy(repeat)
      }
      if (isShortLast) void runs.weakened()
    },
    begin,
    // Shared with other bugs, so it ends with its last waiter and not with this verification.
    clean: repeat => once(`clean:${repeat}`, async () => await ports.cleanRuns.get(
      cleanRunKey(bench.arena, bench.suite, plan.testFiles, repeat),
      async signal => await runTree(bench, { patches: [], purpose: 'clean', probes: repeat === 0, signal }),
      ended.signal)),
    buggy: repeat => once(`buggy:${repeat}`, async () => {
      return await run({ patches: [plan.inject], purpose: 'buggy', finish: async sandbox => { if (repeat > 0) await writeFiles(sandbox, withNewlines((await readAll()).sides)) } })
    }),
    blind: () => ownScript ? Promise.resolve(null) : once('blind', async () => await run({
      patches: [plan.inject], purpose: 'blind', times: 2, finish: async sandbox => await writeFiles(sandbox, plan.testFiles.map(path => [path, unreadable] as const))
    })),
    // In the tree that was read, once nobody reads it any more.
    weakened: () => once('weakened', async () => await run({ patches: [plan.inject, plan.weaken], purpose: 'weakened', ...first === null ? {} : { sandbox: first, begin: async () => await begun } })),
    restored (units) {
      const patch = withoutUnits(plan.units, new Set(units))
      return once(`restored:${units.map(unitName).join('\0')}`, async () => await run({ patches: [patch], purpose: 'inverse' }))
    },
    async close () {
      ended.abort()
      // Whoever waits to begin meets the abort.
      begin()
      await Promise.allSettled(started.values())
      await (await first?.catch(() => null))?.destroy()
      await Promise.all(bench.removals)
    }
  }
  return runs
}

/** Paths come on standard input, with a NUL behind each; a line for each says 1 where a file is. */
export const presentCommand = ({ tree }: SandboxFolders): string =>
  `( cd -- ${shellQuote(tree)} && while IFS= read -r -d '' path; do if [ -f "$path" ] && [ ! -L "$path" ]; then echo 1; else echo 0; fi; done )`

async function absentPaths (sandbox: Sandbox, paths: readonly string[]): Promise<string[]> {
  const { output, exitCode } = await sandbox.exec(presentCommand(sandbox), { timeoutMs: 30_000, outputBytesMax: 2 ** 20, stdin: pathsAsInput(paths) })
  const answers = Buffer.from(output).toString('utf8').split('\n').filter(line => line !== '')
  if (exitCode !== 0 || answers.length !== paths.length) throw new SparError('SANDBOX_LOST', `Cannot look for test files in sandbox ${sandbox.id}: it answers ${answers.length} of ${paths.length}`, { retryable: true })
  return paths.filter((_, index) => answers[index] === '0')
}
