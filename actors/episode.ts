// Plays one episode: the machine with its holes filled by the queue, its snapshot kept as it goes, so that an episode whose
// owner was killed goes on where it was. Work that had finished answers from the store.

import { createActor, fromPromise, type AnyActorRef, type Snapshot } from 'xstate'
import { episode, type Attempted, type Broken, type EpisodeInput, type EpisodeOutcome, type PlayedBug, type Verified } from '../machines/episode.ts'
import type { Work, WorkEnding, WorkQueue } from '../src/bus/work.ts'
import type { Arena, Role, Verdict } from '../src/domain.ts'
import { toPlain } from '../src/errors.ts'
import type { Registry } from '../src/inspect/registry.ts'
import { latestOnly } from '../src/latest-only.ts'
import { episodeIdOf } from '../src/run/draw.ts'
import { breakId, gradeId, priorities, settleId, solveId, verifyId } from '../src/run/ids.ts'
import type { RunOptions } from '../src/run/options.ts'
import { promoteAttempt, type Promoted } from '../src/run/promote.ts'
import type { BreakResult, GradeResult, PlayedPolicy, SolveResult } from '../src/run/results.ts'
import { releaseSamples, settleEpisode } from '../src/run/settle.ts'
import type { EpisodeStore } from '../src/store/episodes.ts'
import { about, names, observe } from './observe.ts'
import type { AttemptPayload } from './work/solve.ts'

/** What an episode is played with. */
export interface EpisodeSystem {
  store: EpisodeStore
  options: RunOptions
  arena: Arena
  queue: Pick<WorkQueue, 'add'>
  policies: Record<Role, PlayedPolicy>
  onStep: (step: EpisodeStep) => void
  registry?: Registry | undefined
  /** Name of what it is within, for whoever looks. */
  within?: string
}

/** What an onlooker is told at every step of an episode. */
export interface EpisodeStep { number: number; episodeId: string; state: string; bugs: PlayedBug[]; outcome: EpisodeOutcome | null }

/** Infrastructure that failed for good, or work that was taken back: no verdict on anybody. */
const lost = (ending: Exclude<WorkEnding, { kind: 'settled' }>): { outcome: 'infra_fault' | 'cancelled'; reason: string } =>
  ({ outcome: ending.kind === 'cancelled' ? 'cancelled' : 'infra_fault', reason: ending.reason })

/** Rejects with the signal's reason when it aborts: the episode is left where it is, for whoever goes on with it. */
export async function playEpisode (system: EpisodeSystem, number: number, signal?: AbortSignal): Promise<EpisodeOutcome> {
  const episodeId = episodeIdOf(number)
  const finished = await system.store.result<EpisodeOutcome>(settleId(episodeId))
  if (finished) {
    system.onStep({ number, episodeId, state: 'done', bugs: finished.bugs, outcome: finished })
    return finished
  }
  const input: EpisodeInput = { episodeId, groupSize: system.options.group, orderMax: system.options.maxOrder }
  const kept = await system.store.snapshot(episodeId) as Snapshot<unknown> | null
  const actor = createActor(machine, { id: episodeId, input, ...(kept ? { snapshot: kept } : {}) })
  playing.set(actor.system, { ...system, number })
  const { run } = system.store
  observe(system.registry, actor, about('episode', episodeId, names.episode(run, episodeId), system.within ?? names.run(run), { run, episode: episodeId }))
  let isLeft = false
  // Made when it is written: what is overtaken costs nothing. One that was left is not written any more: its work is stopped.
  const snapshots = latestOnly(async () => { if (!isLeft) await system.store.keepSnapshot(episodeId, actor.getPersistedSnapshot()) })
  let leave = (): void => {}
  try {
    return await new Promise<EpisodeOutcome>((resolve, reject) => {
      leave = () => reject(signal!.reason)
      signal?.addEventListener('abort', leave)
      signal?.throwIfAborted()
      actor.subscribe({
        next: snapshot => {
          const written = snapshots.write()
          written.catch(reject)
          const outcome = snapshot.status === 'done' ? snapshot.output : null
          system.onStep({ number, episodeId, state: String(snapshot.value), bugs: snapshot.context.bugs, outcome })
          if (outcome) written.then(() => resolve(outcome), reject)
        },
        error: reject
      })
      actor.start()
    })
  } finally {
    signal?.removeEventListener('abort', leave)
    isLeft = true
    actor.stop()
  }
}

/** What an episode is played with, by the actor system that plays it: a machine's context is no place for handles. */
const playing = new WeakMap<AnyActorRef['system'], EpisodeSystem & { number: number }>()

const addTo = (system: AnyActorRef['system']) => (id: string, kind: Work['kind'], payload: unknown): Promise<WorkEnding> =>
  playing.get(system)!.queue.add({ id, kind, priority: priorities[kind], payload })

/** Filled once: a machine that is provided anew is built anew. */
const machine = episode.provide({
  actors: {
    break: fromPromise<Broken, { episodeId: string }>(async ({ input, system }) => brokenOf(await addTo(system)(breakId(input.episodeId), 'break', { number: playing.get(system)!.number }))),
    verify: fromPromise<Verified, { episodeId: string; bugId: string }>(async ({ input, system }) => verifiedOf(await addTo(system)(verifyId(input.episodeId), 'verify', input))),
    attempt: fromPromise<Attempted, Omit<AttemptPayload, 'number'>>(({ input, system }) => attempt({ ...input, number: playing.get(system)!.number }, addTo(system))),
    promote: fromPromise<Promoted, { episodeId: string; parent: PlayedBug }>(({ input, system }) => {
      const { store, arena } = playing.get(system)!
      return promoteAttempt(store, arena, input.episodeId, input.parent)
    }),
    release: fromPromise<void, EpisodeOutcome>(({ input, system }) => releaseSamples(playing.get(system)!, playing.get(system)!.number, input)),
    settle: fromPromise<void, EpisodeOutcome>(({ input, system }) => settleEpisode(playing.get(system)!, playing.get(system)!.number, input))
  }
})

function brokenOf (ending: WorkEnding): Broken {
  if (ending.kind !== 'settled') return { kind: 'fault', ...lost(ending) }
  const { outcome, reason, bugId } = ending.result as BreakResult
  return bugId === null || outcome !== 'scored' ? { kind: 'fault', outcome: outcome === 'scored' ? 'policy_fault' : outcome, reason } : { kind: 'submitted', bugId }
}

function verifiedOf (ending: WorkEnding): Verified {
  if (ending.kind !== 'settled') return { kind: 'undecided', ...lost(ending) }
  const verdict = ending.result as Verdict
  if (verdict.valid) return { kind: 'valid' }
  return { kind: 'rejected', failed: verdict.failed!, reason: verdict.checks.find(check => check.name === verdict.failed)?.reason ?? '' }
}

/** A rollout, then its grade: two pieces of work, so that a grader that is lost costs no second rollout. */
async function attempt (payload: AttemptPayload, add: (id: string, kind: Work['kind'], payload: unknown) => Promise<WorkEnding>): Promise<Attempted> {
  const { episodeId, order, member } = payload
  try {
    const played = await add(solveId(episodeId, order, member), 'solve', payload)
    if (played.kind !== 'settled') return { member, solved: null, ...lost(played) }
    const { outcome, reason, submitted } = played.result as SolveResult
    if (!submitted) return { member, outcome, solved: outcome === 'policy_fault' ? false : null, reason }
    const graded = await add(gradeId(episodeId, order, member), 'grade', payload)
    if (graded.kind !== 'settled') return { member, solved: null, ...lost(graded) }
    const { grade } = graded.result as GradeResult
    return { member, outcome: 'scored', solved: grade.solved, reason: grade.outcome }
  } catch (error) {
    return { member, outcome: 'infra_fault', solved: null, reason: toPlain(error).message }
  }
}
