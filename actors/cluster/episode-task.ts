// An episode of the cluster as a task: whoever takes its message owns it, plays its machine from the snapshot that the last
// owner left, and puts its work on the queue. A new owner fences the old one (F1 of src/cluster/episodes.ts).

import type { QueueMessage } from '../../src/bus/types.ts'
import type { Task } from '../../src/cluster/deliver.ts'
import { busEpisodes } from '../../src/cluster/episodes.ts'
import { pack } from '../../src/cluster/codec.ts'
import { episodeKey, settledKey } from '../../src/cluster/keys.ts'
import { openMailbox } from '../../src/cluster/mailbox.ts'
import { SparError } from '../../src/errors.ts'
import { arenaOf, numberOfWork } from '../../src/run/draw.ts'
import type { EpisodeOutcome } from '../../machines/episode.ts'
import { playEpisode } from '../episode.ts'
import type { NodeSystem } from './types.ts'

export function episodeTask (system: NodeSystem, message: QueueMessage): Task {
  const { bus, retry, records, nodeId, runs, ports } = system
  const { run, id: episode } = message.subject
  const number = numberOfWork(episode)
  const startedAt = ports.clock.now()
  const settle = async (outcome: EpisodeOutcome): Promise<void> => {
    await retry(() => bus.log.records.create(settledKey(run, episode), pack({ outcome })))
    await retry(() => bus.kv.episodes.remove(episodeKey(run, episode)))
  }
  const faulty = (outcome: 'infra_fault' | 'cancelled', reason: string): EpisodeOutcome => ({ episodeId: episode, ending: { kind: 'fault', outcome, reason }, bugs: [] })
  return {
    isDone: async () => await retry(() => bus.log.records.get(settledKey(run, episode))) !== null,
    async play (delivery, signal) {
      const index = arenaOf(runs.get(run)!.options, number)
      const options = runs.optionsOf(run, index)
      const arena = runs.get(run)!.arenas[index]!.opened
      if (arena === null) throw new SparError('ARENA_NOT_OPEN', `Cannot play ${episode} of ${run}: no node has opened ${options.target} yet`, { retryable: true })
      const over = new AbortController()
      const following = AbortSignal.any([signal, over.signal])
      try {
        const mailbox = await openMailbox({ bus, retry, records, clock: ports.clock }, { run, episode, arena: arena.id }, following)
        const store = busEpisodes({ bus, retry, records, run, claim: `${nodeId}.${delivery}`, entry: 'kept', by: () => ({ delivery, node: nodeId, startedAt, at: ports.clock.now() }), find: mailbox.find })
        mailbox.broken.catch(error => over.abort(error))
        const policies = await ports.policiesOf(options)
        const onStep = (step: unknown): void => bus.signal(`steps.${run}.${nodeId}`, pack({ node: nodeId, step }))
        await playEpisode({ store, options, arena, queue: mailbox, policies, onStep }, number, following)
        await retry(() => bus.kv.episodes.remove(episodeKey(run, episode)))
      } finally {
        over.abort()
      }
    },
    cancel: async reason => await settle(faulty('cancelled', reason)),
    quarantine: async ({ code, reason }) => await settle(faulty('infra_fault', `${reason} [${code}]`))
  }
}
