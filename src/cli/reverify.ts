// `spar reverify <run>`: does everything that a run says follow from what it keeps? And what would its rewards be under
// another rule, or by verdicts and grades of today?

import { existsSync, realpathSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { verifyBug } from '../../actors/verifier.ts'
import { openStore } from '../arena/store.ts'
import { systemClock } from '../clock.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import { changesOf, drawWorks, followRun, runAgain, settleAgain, worksOf, type Followed, type Rerun } from '../reverify/index.ts'
import { parseShare, parseWhole, type RunOptions } from '../run/options.ts'
import type { Sample } from '../run/results.ts'
import { writeLarge } from '../store/files.ts'
import { openRunStore, type RunStore } from '../store/run.ts'
import { gradeAttempt } from '../verify/grade.ts'
import { withSandboxes } from './bug.ts'
import { exitInterrupted, exitNo, exitUndecided, shownPath, sparHome, type Io } from './command.ts'
import { onlyArgument, sandboxOptionTypes, sandboxUsage, type SandboxValues } from './parse.ts'
import { renderReverified, type ReverifyView } from './reverify-view.ts'
import { neutral, neutralJson } from './terminal.ts'

const usage = `Usage: spar reverify <run> [options]

Recomputes verdicts, grades, outcomes, rewards and advantages from what the folder of a run keeps, and names all that does
not follow.

  --alpha x         other rewards, without new rollouts: α of the breaker's
  --min-scored n    … attempts with a verdict that a solve rate needs
  --write file      writes the samples with the rewards and advantages that follow, as JSON lines; the run's own stay
  --rerun n|all     runs n verdicts and grades again, or all, in fresh sandboxes of the run's arena; --write goes by these
    --seed 1        which ones       --jobs n   how many at a time (default: cores)
    ${sandboxUsage}
  --json            one object on the last line

Exit code: 0 all of it follows, 1 something differs, 2 something could not be decided.`

export async function run (argv: string[], io: Io): Promise<number> {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { alpha: text, 'min-scored': text, write: text, rerun: text, seed: text, jobs: text, ...sandboxOptionTypes, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const store = openRunStore(resolve(onlyArgument(positionals, 'the folder of a run', usage)))
  const given = {
    ...values.alpha === undefined ? {} : { alpha: parseShare('alpha', values.alpha) },
    ...values['min-scored'] === undefined ? {} : { minScored: parseWhole('min-scored', values['min-scored'], 1, 64) }
  }
  const asked = values.rerun === undefined ? null : {
    count: values.rerun === 'all' ? Infinity : parseWhole('rerun', values.rerun, 1),
    seed: parseWhole('seed', values.seed ?? '1', 0, 2 ** 31 - 1),
    jobs: parseWhole('jobs', values.jobs ?? String(availableParallelism()), 1, 1024),
    // As the run was played, where nothing else is asked for.
    sandboxes: { ...(store.file().runtime === undefined || values.sandbox !== undefined ? {} : { runtime: store.file().runtime }), ...values }
  }
  const file = values.write === undefined ? null : outsideOf(store, values.write)
  const arena = asked === null ? null : await findArena(store)
  const followed = await followRun(store)
  const rerun = asked === null ? null : await again(followed, arena!, asked, io)
  if (rerun === 'interrupted') return exitInterrupted
  const options = { ...followed.options, ...given }
  const samples = await settleAgain(store, options, rerun?.facts ?? followed.facts, followed.samples)
  if (file !== null) await writeLarge(file, samples.map(sample => JSON.stringify(sample) + '\n').join(''))
  const view = viewOf(followed, options, samples, file, rerun && { ...rerun, seed: asked!.seed })
  io.out(values.json ? neutralJson(view) : neutral(renderReverified(view)))
  return view.differences.length > 0 ? exitNo : view.episodes === 0 || (view.rerun?.undecided.length ?? 0) > 0 ? exitUndecided : 0
}

interface Asked { count: number; seed: number; jobs: number; sandboxes: SandboxValues }

async function again (followed: Followed, arena: Arena, { count, seed, jobs, sandboxes }: Asked, io: Io): Promise<Rerun | 'interrupted'> {
  const works = drawWorks(worksOf(followed.facts), count, seed)
  const stop = new AbortController()
  const interrupt = (): void => { stop.abort() }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  let done = 0
  try {
    const rerun = await withSandboxes(sandboxes, arena.target, async (_, ports) => await runAgain(followed, followed.facts, { arena, works, jobs, signal: stop.signal }, {
      verify: async (request, signal) => await verifyBug(request, ports, signal),
      grade: async (request, signal) => await gradeAttempt(request, ports, signal),
      onDone ({ work, answer, reason }) {
        if (stop.signal.aborted) return
        io.err(neutral(`  ${String(++done).padStart(String(works.length).length)}/${works.length}  ${answer.padEnd(9)}  ${work}${reason === '' ? '' : `: ${reason.slice(0, 300)}`}`))
      }
    }))
    // What was in flight ended as undecided.
    stop.signal.throwIfAborted()
    return rerun
  } catch (error) {
    if (!stop.signal.aborted) throw error
    io.err('Interrupted: nothing was written')
    return 'interrupted'
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

/** The arena of the run, where it was made or wherever this machine has it. */
async function findArena (store: RunStore): Promise<Arena> {
  const { arena } = store.file()
  if (arena.image !== null || existsSync(join(arena.dir, 'tree'))) return arena
  const known = (await (await openStore(sparHome(), systemClock)).list()).find(record => record.arena.id === arena.id)
  if (known !== undefined) return known.arena
  throw new SparError('ARENA_GONE', `Cannot run anything of ${store.run} again: its arena ${arena.id} is not on this machine. Open it with: spar arena add "${arena.target}". All but --rerun works without it`)
}

/** A run's folder holds what the run left, and nothing is written over it. */
function outsideOf (store: RunStore, file: string): string {
  const path = resolve(file)
  const real = (path: string): string => existsSync(path) ? realpathSync(path) : join(real(dirname(path)), basename(path))
  if (real(path).startsWith(real(store.dir) + sep)) throw new SparError('OPTION_INVALID', `Cannot use --write "${file}": it is within the folder of the run, which stays as it is`)
  return path
}

function viewOf ({ store, options: { alpha, minScored }, notes, facts, unsettled, samples: kept }: Followed, now: RunOptions, samples: readonly Sample[], file: string | null, rerun: (Rerun & { seed: number }) | null): ReverifyView {
  return {
    run: store.run,
    dir: shownPath(store.dir),
    episodes: facts.length,
    unsettled,
    checked: notes.checked,
    given: notes.given,
    differences: notes.differences,
    rerun: rerun && { seed: rerun.seed, verdicts: rerun.verdicts, grades: rerun.grades, same: rerun.same, differing: rerun.differing, undecided: rerun.undecided },
    rule: { before: { alpha, minScored }, after: { alpha: now.alpha, minScored: now.minScored } },
    rewards: { breaker: changesOf('breaker', kept, samples), solver: changesOf('solver', kept, samples) },
    wrote: file && shownPath(file)
  }
}
