// An episode of the cluster as a task: whoever takes its message owns it, plays its machine from the snapshot that the last
// owner left, and puts its work on the queue. A new owner fences the old one (F1 of src/cluster/episodes.ts).

import { linked } from '../../src/bus/abort.ts'
import type { QueueMessage } from '../../src/bus/types.ts'
import type { Task } from '../../src/cluster/deliver.ts'
import { busEpisodes, type FindEnding } from '../../src/cluster/episodes.ts'
import { openWork } from '../../src/cluster/cancel.ts'
import { pack } from '../../src/cluster/codec.ts'
import { episodeKey, settledKey, workPrefix } from '../../src/cluster/keys.ts'
import { openMailbox, type Mailbox } from '../../src/cluster/mailbox.ts'
import { askTimesBack } from '../../src/cluster/outcomes.ts'
import { SparError } from '../../src/errors.ts'
import { arenaOf, numberOfWork } from '../../src/run/draw.ts'
import { settleEpisode } from '../../src/run/settle.ts'
import type { EpisodeStore } from '../../src/store/episodes.ts'
import type { EpisodeOutcome } from '../../machines/episode.ts'
import { playEpisode } from '../episode.ts'
import { names } from '../observe.ts'
import type { NodeSystem } from './types.ts'

export function episodeTask (system: NodeSystem, message: QueueMessage): Task {
  const { bus, retry, records, nodeId, runs, ports, limits } = system
  const { run, id: episode } = message.subject
  const number = numberOfWork(episode)
  const startedAt = ports.clock.now()
  const timesBack = (): Promise<number> => askTimesBack(bus, retry, run, episode)
  const storeOf = (delivery: number, times: number, find: FindEnding): EpisodeStore =>
    busEpisodes({ bus, retry, records, run, times, entry: 'kept', by: () => ({ delivery, node: nodeId, startedAt, at: ports.clock.now() }), find, claim: ports.newId() })
  const removeSnapshot = async (): Promise<void> => await retry(() => bus.kv.episodes.remove(episodeKey(run, episode)))
  return {
    // A long episode outlives many owners, and owning it takes none along.
    deliveriesMax: Infinity,
    async isDone () {
      const key = settledKey(run, episode, await timesBack())
      if (await retry(() => bus.log.records.get(key)) === null) return false
      // An owner that came late may have claimed it anew, and died.
      await removeSnapshot()
      return true
    },
    async play (delivery, signal) {
      const index = arenaOf(runs.get(run)!.options, number)
      const options = runs.optionsOf(run, index)
      const arena = runs.get(run)!.arenas[index]!.opened
      if (arena === null) throw new SparError('ARENA_NOT_OPEN', `Cannot play ${episode} of ${run}: no node has opened ${options.target} yet`, { retryable: true })
      const times = await timesBack()
      const { controller: over, leave } = linked([signal])
      const following = over.signal
      let mailbox: Mailbox | null = null
      try {
        mailbox = await openMailbox({ bus, retry, records, clock: ports.clock, readdMs: limits.readdMs }, { run, episode, arena: arena.id }, following)
        const store = storeOf(delivery, times, mailbox.find)
        const { add } = mailbox
        mailbox.broken.catch(error => over.abort(error))
        const policies = await ports.policiesOf(options)
        const onStep = (step: unknown): void => bus.signal(`steps.${run}.${nodeId}`, pack({ node: nodeId, step }))
        await playEpisode({ store, options, arena, queue: { add: work => orLeave(add(work), over) }, policies, onStep, registry: ports.registry, within: names.work(run, episode) }, number, following)
        await removeSnapshot()
      } finally {
        over.abort()
        leave()
        await mailbox?.rest()
      }
    },
    // Of a run that was given up: its episodes need no outcomes, and one whose owner died at its last step may have samples, which an
    // outcome without bugs would belie.
    async cancel (reason, delivery) {
      for (const work of await retry(() => openWork(bus, workPrefix(run, episode)))) await records.end(run, work, { kind: 'cancelled', reason, delivery, node: nodeId, startedAt, at: ports.clock.now() })
      await removeSnapshot()
    },
    // Whatever is complete stands: its samples may be released already.
    async quarantine ({ code, reason }, delivery) {
      const store = storeOf(delivery, await timesBack(), (work, entry) => records.ending(run, work, entry))
      const kept = await store.snapshot(episode) as KeptEpisode | null
      const options = runs.optionsOf(run, arenaOf(runs.get(run)!.options, number))
      const names = { breaker: { name: options.breaker, version: '' }, solver: { name: options.solver, version: '' } }
      await settleEpisode({ store, options, policies: names }, number, givenUp(episode, kept, `${reason} [${code}]`))
      await removeSnapshot()
    }
  }
}

/** Of a snapshot, what an episode that is given up comes to. */
interface KeptEpisode { value: unknown; context: Pick<EpisodeOutcome, 'bugs'> & { ending: EpisodeOutcome['ending'] | null } }

function givenUp (episodeId: string, kept: KeptEpisode | null, reason: string): EpisodeOutcome {
  const { bugs, ending } = kept?.context ?? { bugs: [], ending: null }
  if (kept?.value === 'settling' && ending !== null) return { episodeId, ending, bugs }
  return bugs.length > 1 ? { episodeId, ending: { kind: 'played' }, bugs: bugs.slice(0, -1) } : { episodeId, ending: { kind: 'fault', outcome: 'infra_fault', reason }, bugs: [] }
}

/** Work whose ending nobody could learn of has none: the episode is left as it is, and whoever has it next learns of it. */
async function orLeave<Ending> (ending: Promise<Ending>, over: AbortController): Promise<Ending> {
  try {
    return await ending
  } catch (error) {
    over.abort(error)
    return await new Promise<never>(() => {})
  }
}
