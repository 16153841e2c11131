// A workplace on simulated sandboxes and policies: the real handlers, a store in memory, a clock that waits for nobody.

import { doWork } from '../../actors/work/index.ts'
import type { Workplace } from '../../actors/work/types.ts'
import { sabotaged } from '../../actors/simulation/place.ts'
import type { Artifact } from '../../src/artifact/index.ts'
import type { WorkKind } from '../../src/bus/work.ts'
import type { Arena, Grade, Verdict } from '../../src/domain.ts'
import { createLimiter } from '../../src/limiter.ts'
import { createRandom } from '../../src/random.ts'
import { breakId, gradeId, solveId, verifyId } from '../../src/run/ids.ts'
import { runDefaults, type RunOptions } from '../../src/run/options.ts'
import type { BreakResult, GradeResult, SolveResult } from '../../src/run/results.ts'
import { episodeIdOf } from '../../src/run/draw.ts'
import { simulatedArena } from '../../src/simulation/arena.ts'
import { createSimulatedPolicy, type PolicyStrike } from '../../src/simulation/policy.ts'
import { createSimulatedMachine, type SandboxStrike, type SimulatedMachine } from '../../src/simulation/sandboxes.ts'
import { attemptPath, bugFolder, submissionFolder, type EpisodeStore } from '../../src/store/episodes.ts'
import { createCleanRunCache, createControls } from '../../src/verify/index.ts'
import { readLogHere } from '../../src/workers/logs.ts'
import { prepareLanguage } from '../../src/workers/mutate/grammars.ts'
import { createInstantClock, type InstantClock } from './clock.ts'

await prepareLanguage('python')

export interface LabOptions { seed?: number; skill?: number; arena?: number; options?: Partial<RunOptions>; strike?: SandboxStrike; policyStrike?: PolicyStrike }

export interface PlayedAttempt { member: number; solve: SolveResult; patch: Uint8Array | null; grade: Grade | null }
export interface PlayedEpisode { number: number; broke: BreakResult; artifact: Artifact | null; verdict: Verdict | null; attempts: PlayedAttempt[] }

export interface Lab {
  arena: Arena
  options: RunOptions
  machine: SimulatedMachine
  clock: InstantClock
  place: Workplace
  play (number: number, group?: number): Promise<PlayedEpisode>
  /** One piece of work, from its start to its end. */
  work<Result> (kind: WorkKind, id: string, payload: unknown): Promise<Result>
}

export function openSimulatedLab ({ seed = 1, skill = 0.5, arena: index = 0, options: given = {}, strike, policyStrike }: LabOptions = {}): Lab {
  const clock = createInstantClock()
  const random = createRandom(seed)
  const arena = simulatedArena(index)
  const options: RunOptions = { ...runDefaults, target: arena.target, seed, ...given }
  const machine = createSimulatedMachine()
  const sandboxes = machine.connect({ owner: 'one', clock, random: random.fork('sandboxes'), ...strike ? { strike } : {} })
  const policy = createSimulatedPolicy({ name: 'simulated', clock, random: random.fork('policy'), skill, ...policyStrike ? { strike: policyStrike } : {} })
  const place: Workplace = {
    options,
    arena,
    store: memoryEpisodes(),
    ports: { clock, sandboxes, policies: { breaker: policy, solver: policy }, verify: { sandboxes, cores: createLimiter(4), cleanRuns: createCleanRunCache(), controls: createControls(sabotaged), readLog: readLogHere, survey: async () => [], clock } }
  }
  const { store } = place
  const work = async <Result>(kind: WorkKind, id: string, payload: unknown): Promise<Result> =>
    await clock.drive(doWork(place, { work: { id, kind, priority: 0, payload }, delivery: 1, signal: new AbortController().signal })) as Result

  const play = async (number: number, group = options.group): Promise<PlayedEpisode> => {
    const episodeId = episodeIdOf(number)
    const broke = await work<BreakResult>('break', breakId(episodeId), { number })
    if (broke.bugId === null) return { number, broke, artifact: null, verdict: null, attempts: [] }
    const verdict = await work<Verdict>('verify', verifyId(episodeId), { episodeId })
    const artifact = await store.submission(episodeId)
    const members = verdict.valid ? Array.from({ length: group }, (_, member) => member) : []
    const attempts: PlayedAttempt[] = []
    for (const member of members) attempts.push(await attempt(number, broke.bugId, 1, member))
    return { number, broke, artifact, verdict, attempts }
  }

  const attempt = async (number: number, bugId: string, order: number, member: number): Promise<PlayedAttempt> => {
    const episodeId = episodeIdOf(number)
    const payload = { number, episodeId, bugId, order, member }
    const solve = await work<SolveResult>('solve', solveId(episodeId, order, member), payload)
    if (!solve.submitted) return { member, solve, patch: null, grade: null }
    const { grade } = await work<GradeResult>('grade', gradeId(episodeId, order, member), payload)
    return { member, solve, patch: await store.attempt(solveId(episodeId, order, member)), grade }
  }
  return { arena, options, machine, clock, place, play, work }
}

function memoryEpisodes (): EpisodeStore {
  const results = new Map<string, unknown>()
  const files = new Map<string, Uint8Array>()
  const artifacts = new Map<string, Artifact>()
  return {
    run: 'simulated',
    snapshot: async () => null,
    keepSnapshot: async () => {},
    result: async <T>(id: string) => (results.get(id) ?? null) as T | null,
    async keepOutput (id, { result, files: made, artifact }) {
      for (const { path, bytes } of made) if (path.startsWith('attempts/')) files.set(path, bytes)
      if (artifact !== null) artifacts.set(artifact.folder, artifact)
      results.set(id, result)
      return result
    },
    submission: async episodeId => artifacts.get(submissionFolder(breakId(episodeId)))!,
    bug: async ({ bugId }) => artifacts.get(bugFolder(bugId))!,
    attempt: async rolloutId => files.get(attemptPath(rolloutId))!,
    release: async () => {},
    settle: async () => {}
  }
}
