// A piece of work of the cluster (break, verify, solve, grade) as a task: the same handlers as on one machine, with the bus as
// their store.

import type { QueueMessage } from '../../src/bus/types.ts'
import type { Task } from '../../src/cluster/deliver.ts'
import { workKindOf } from '../../src/cluster/keys.ts'
import { busEpisodes } from '../../src/cluster/episodes.ts'
import type { Made } from '../../src/cluster/records.ts'
import { SparError } from '../../src/errors.ts'
import { priorities } from '../../src/run/ids.ts'
import { arenaOf, numberOfWork } from '../../src/run/draw.ts'
import { handleWork } from '../work/index.ts'
import type { NodeSystem } from './types.ts'

export function workTask (system: NodeSystem, message: QueueMessage): Task {
  const { bus, retry, records, nodeId, runs, arenas, ports } = system
  const { run, id, arena: arenaId } = message.subject
  const kind = workKindOf(id)
  const startedAt = ports.clock.now()
  const made = (delivery: number): Made => ({ delivery, node: nodeId, startedAt, at: ports.clock.now() })
  return {
    isDone: async delivery => delivery > 1 && await records.ending(run, id) !== null,
    async play (delivery, signal) {
      const payload: unknown = JSON.parse(Buffer.from(message.bytes).toString('utf8'))
      const arena = arenas.get(arenaId)
      if (arena === null) throw new SparError('ARENA_NOT_HELD', `Cannot do ${id}: this node does not hold the arena ${arenaId} any more`, { retryable: true })
      const options = runs.optionsOf(run, arenaOf(runs.get(run)!.options, numberOfWork(id)))
      const store = busEpisodes({ bus, retry, records, run, entry: 'ended', by: () => made(delivery), find: (work, entry) => records.ending(run, work, entry), claim: '', times: 0 })
      const { clock, sandboxes, verify } = ports
      await handleWork(
        { options, arena, store, ports: { clock, sandboxes, verify, policies: await ports.policiesOf(options), watch: ports.watch?.(runs.get(run)!), registry: ports.registry } },
        { work: { id, kind, priority: priorities[kind], payload }, delivery, signal },
        ports.handlers
      )
    },
    async cancel (reason, delivery) { await records.end(run, id, { ...made(delivery), kind: 'cancelled', reason }) },
    async quarantine (why, delivery) { await records.end(run, id, { ...made(delivery), kind: 'quarantined', ...why }) }
  }
}
