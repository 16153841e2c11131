// What a slot does: waits at one of its group's places for a message, and answers it by the task that it stands for.

import { underAny } from '../../src/bus/abort.ts'
import type { QueueKind, QueueMessage } from '../../src/bus/types.ts'
import { deliver, type Delivered, type Task } from '../../src/cluster/deliver.ts'
import type { Rotation } from '../../src/cluster/rotation.ts'
import { toPlain } from '../../src/errors.ts'
import type { NodeReport } from '../../src/cluster/report.ts'
import { names, observeWork } from '../observe.ts'
import { episodeTask } from './episode-task.ts'
import { leadTask } from './lead-task.ts'
import type { NodeSystem } from './types.ts'
import { workTask } from './work-task.ts'

export interface SlotGroup { name: string; kinds: QueueKind[]; total: number; busy: number; done: number; ids: string[]; rotation: Rotation }

export interface SlotWork {
  /** Whether a message was taken. */
  pull (slotId: string, signal: AbortSignal): Promise<boolean>
  work (slotId: string): Promise<void>
  delivered (): Record<string, number>
}

/** While there is no place to wait at. */
const noPlaceMs = 200

export function createSlotWork (system: NodeSystem, groups: readonly SlotGroup[], onEvent: (event: NodeReport) => void): SlotWork {
  const taken = new Map<string, QueueMessage>()
  const counts: Record<string, number> = {}
  const groupOf = (slotId: string): SlotGroup => groups.find(({ ids }) => ids.includes(slotId))!
  const { bus, ports, runs, records, holder, nodeId, limits, aborting } = system

  async function pull (slotId: string, signal: AbortSignal): Promise<boolean> {
    const turn = groupOf(slotId).rotation.next()
    if (turn === null) {
      await ports.clock.sleep(noPlaceMs, signal).catch(() => {})
      return false
    }
    let gave = false
    try {
      const message = await bus.queue.pull(turn.place.kind, turn.place.arena, { waitMs: turn.waitMs, signal })
      gave = message !== null
      // The slot may have been stopped meanwhile: nobody would answer it.
      if (message !== null && signal.aborted) message.again(0)
      else if (message !== null) taken.set(slotId, message)
      return message !== null && !signal.aborted
    } finally { turn.end(gave) }
  }

  async function work (slotId: string): Promise<void> {
    const message = taken.get(slotId)!
    const group = groupOf(slotId)
    taken.delete(slotId)
    group.busy++
    const startedAt = ports.clock.now()
    let delivered: Delivered | { kind: 'lost'; code: string; reason: string }
    try {
      const orphaned = await isOrphan(message)
      delivered = orphaned ? await drop(message) : await observeWork(ports.registry, { ...message.subject, delivery: message.delivery, within: names.slot(slotId), faultOf: (ended: Delivered) => 'reason' in ended ? ended.reason : null }, async () =>
        await deliver(message, taskOf(system, message), { clock: ports.clock, records, node: nodeId, holder, limits }, { cancelled: runs.cancelled(message.subject.run), draining: aborting }))
    } catch (error) {
      // Nothing was answered: it is delivered again when its time has run out.
      const { code, message: reason } = toPlain(error)
      delivered = { kind: 'lost', code, reason }
    } finally {
      group.busy--
      group.done++
    }
    counts[delivered.kind] = (counts[delivered.kind] ?? 0) + 1
    const { kind, ...why } = delivered
    onEvent({ type: 'delivered', kind: message.subject.kind, run: message.subject.run, submittedAt: runs.get(message.subject.run)?.submittedAt ?? null, work: message.subject.id, delivery: message.delivery, outcome: kind, startedAt, ms: ports.clock.now() - startedAt, ...why })
  }

  /** Work can be here before the document of its run is; a run that was removed leaves some behind. */
  async function isOrphan ({ subject }: QueueMessage): Promise<boolean> {
    if (runs.get(subject.run) !== null) return false
    const late = new AbortController()
    void ports.clock.sleep(limits.knowRunMs, late.signal).then(() => late.abort(), () => {})
    const known = await underAny([aborting, late.signal], signal => runs.when(subject.run, () => true, signal)).then(() => true, () => false)
    late.abort()
    return !known
  }

  async function drop (message: QueueMessage): Promise<Delivered> {
    const why = { code: 'RUN_NOT_FOUND', reason: `there is no run ${message.subject.run} on this bus` }
    if (message.delivery <= limits.failuresMax || aborting.aborted) {
      message.again(limits.redeliverMs)
      return { kind: 'failed', ...why }
    }
    await message.ack()
    return { kind: 'dropped', ...why }
  }

  return { pull, work, delivered: () => ({ ...counts }) }
}

function taskOf (system: NodeSystem, message: QueueMessage): Task {
  switch (message.subject.kind) {
    case 'run': return leadTask(system, message)
    case 'episode': return episodeTask(system, message)
    default: return workTask(system, message)
  }
}
