// Fills the holes of the verifier machine from src/verify, and runs it: the only way to verify a bug.

import { createActor, fromPromise, waitFor, type AnyActorRef } from 'xstate'
import { verifier } from '../machines/verifier.ts'
import type { Verdict } from '../src/domain.ts'
import type { Registry } from '../src/inspect/registry.ts'
import { openVerification, toVerdict, type Verification, type VerifyPorts, type VerifyRequest } from '../src/verify/index.ts'
import { about, aboutWork, names, observe } from './observe.ts'
import { timersOf } from './timers.ts'

/** What a machine stands for, by its actor system: a machine's context is no place for handles. */
const verifications = new WeakMap<AnyActorRef['system'], Pick<Verification, 'stage'>>()

/** Filled once: a machine that is provided anew is built anew. */
const filled: typeof verifier = verifier.provide({ actors: { stage: fromPromise(async ({ input, system }) => await verifications.get(system)!.stage(input.stage)) } })

/**
 * The verdict on a bug. Never rejects for what the artifact does, nor for a fault of ours: then `decided` is false and a
 * check says `error`. An abort gives an undecided verdict too. No sandbox outlives the call.
 */
export async function verifyBug (request: VerifyRequest, ports: VerifyPorts, signal?: AbortSignal, seen: { registry?: Registry | undefined; work: string } = { work: '' }): Promise<Verdict> {
  const verification = openVerification(request, ports)
  const actor = createActor(filled, { clock: timersOf(ports.clock), input: { bugId: request.bug.id, stageMsMax: verification.stageMsMax } })
  verifications.set(actor.system, verification)
  const { run, bug } = request
  observe(seen.registry, actor, about('verifier', bug.id, names.verifier(run, bug.id), names.work(run, seen.work), aboutWork(run, seen.work)))
  const cancel = (): void => actor.send({ type: 'verifier.cancel' })
  try {
    actor.start()
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    const { output } = await waitFor(actor, snapshot => snapshot.status === 'done', { timeout: Infinity })
    return toVerdict(request.bug, output!)
  } finally {
    signal?.removeEventListener('abort', cancel)
    actor.stop()
    await verification.close()
  }
}
