// One delivery, from taking a message to answering it. Whatever happens on the way, the message is answered once, or not at
// all, and then it is delivered again: a node that dies here costs time and nothing else.
//
// D1. A message is acknowledged only when its ending is kept.
// D2. Work that failed is delivered again after a pause; after `failuresMax` failures, or `deliveriesMax` deliveries that nobody
//     answered (its nodes died), it is put in quarantine with its evidence. A fault of ours is never an ending with a verdict.
// D3. What a node gives up because it drains is handed back and counts as neither; a note says so.
// D4. Nor does a bus that was away, or a record of a newer version, which another node can read: neither says anything about
//     the work.
// D5. What somebody cancelled by hand has an ending with that: it is not delivered again.

import { linked } from '../bus/abort.ts'
import type { QueueMessage } from '../bus/types.ts'
import { workCancelled } from '../bus/work.ts'
import { toPlain } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { Holder } from './holder.ts'
import { clusterLimits } from './limits.ts'
import type { Failure, Records } from './records.ts'

/** What there is to do for a message; each method is safe to do twice. */
export interface Task {
  /** Deliveries before quarantine where it is not `deliveriesMax` of the limits. */
  deliveriesMax?: number
  /** Whether its ending is kept already. May say no where that is unlikely: what is done twice counts once. */
  isDone (delivery: number): Promise<boolean>
  /** Does it, and keeps its ending. */
  play (delivery: number, signal: AbortSignal): Promise<void>
  cancel (reason: string, delivery: number): Promise<void>
  /** Once its message is gone. */
  acknowledged? (): Promise<void>
  quarantine (why: { code: string; reason: string; failures: Failure[] }, delivery: number): Promise<void>
}

export interface DeliverPorts { clock: Clock; records: Records; node: string; holder: Holder; limits?: Partial<typeof clusterLimits> }

/** `abandoned`: somebody else has it now. `dropped`: of a run that is no more. `interrupted`: by what says nothing about it (D4). */
export type Delivered = { kind: 'settled' | 'known' | 'cancelled' | 'handedBack' | 'abandoned' } | { kind: 'failed' | 'interrupted' | 'quarantined' | 'dropped'; code: string; reason: string }

/** The note of D3, beside the failures. */
export const handedBack = 'HANDED_BACK'

const isAnswered = ({ kind }: Delivered): boolean => kind !== 'failed' && kind !== 'interrupted' && kind !== 'abandoned'
const isOfTheBus = ({ code, retryable }: { code: string; retryable: boolean }): boolean => code.startsWith('BUS_') && (retryable || code === 'BUS_CLOSED')

const whyCancelled = (cancelled: AbortSignal): string => String((cancelled.reason as { message?: string } | undefined)?.message ?? 'cancelled')

/** `cancelled` says why the run has given this up; `draining` aborts with the node. */
export async function deliver (message: QueueMessage, task: Task, ports: DeliverPorts, { cancelled, draining }: { cancelled: AbortSignal; draining: AbortSignal }): Promise<Delivered> {
  const letGo = ports.holder.hold(message)
  try {
    const delivered = await answer(message, task, ports, cancelled, draining)
    if (delivered.kind === 'handedBack') message.again(0)
    else if (isAnswered(delivered)) {
      await message.ack()
      await task.acknowledged?.()
    }
    return delivered
  } finally {
    letGo()
  }
}

async function answer (message: QueueMessage, task: Task, ports: DeliverPorts, cancelled: AbortSignal, draining: AbortSignal): Promise<Delivered> {
  const { delivery, subject } = message
  const limits = { ...clusterLimits, ...ports.limits }
  const deliveriesMax = task.deliveriesMax ?? limits.deliveriesMax
  if (await task.isDone(delivery)) return { kind: 'known' }
  if (cancelled.aborted) return await cancel(whyCancelled(cancelled))
  if (draining.aborted) return await handBack('the node drains')
  const notes = delivery === 1 ? [] : await ports.records.failures(subject.run, subject.id, delivery - 1)
  const before = notes.filter(({ code }) => code !== handedBack)
  const lost = delivery - 1 - notes.length
  if (before.length >= limits.failuresMax || lost >= deliveriesMax) return await quarantine(before)
  const { controller, leave } = linked([cancelled, draining])
  try {
    await task.play(delivery, controller.signal)
    return { kind: 'settled' }
  } catch (error) {
    const plain = toPlain(error)
    const { code, message: reason } = plain
    if (code === 'STORE_FENCED') return { kind: 'abandoned' }
    if (code === workCancelled) return await cancel(reason)
    if (cancelled.aborted) return await cancel(whyCancelled(cancelled))
    if (draining.aborted) return await handBack(reason)
    if (isOfTheBus(plain) || code === 'CLUSTER_SCHEMA_NEWER') {
      message.again(code === 'CLUSTER_SCHEMA_NEWER' ? limits.redeliverMsMax : limits.redeliverMs)
      return { kind: 'interrupted', code, reason }
    }
    const failures = [...before, { delivery, node: ports.node, at: ports.clock.now(), code, reason }]
    await ports.records.fail(subject.run, subject.id, failures.at(-1)!)
    if (failures.length >= limits.failuresMax) return await quarantine(failures)
    message.again(Math.min(limits.redeliverMs * 2 ** (failures.length - 1), limits.redeliverMsMax))
    return { kind: 'failed', code, reason }
  } finally {
    leave()
  }

  async function cancel (reason: string): Promise<Delivered> {
    await task.cancel(reason, delivery)
    return { kind: 'cancelled' }
  }

  async function handBack (reason: string): Promise<Delivered> {
    await ports.records.fail(subject.run, subject.id, { delivery, node: ports.node, at: ports.clock.now(), code: handedBack, reason })
    return { kind: 'handedBack' }
  }

  async function quarantine (failures: Failure[]): Promise<Delivered> {
    const last = failures.at(-1)
    const why = last ?? { code: 'NODE_LOST', reason: `${lost} deliveries were lost with their nodes` }
    await task.quarantine({ code: why.code, reason: why.reason, failures }, delivery)
    return { kind: 'quarantined', code: why.code, reason: why.reason }
  }
}
