// Plays one rollout: the machine with its holes filled by a session, from start to outcome. The session is always
// closed, whatever the ending.

import { createActor, fromPromise, type ActorRefFrom } from 'xstate'
import type { RolloutInput, RolloutOutcome } from '../machines/rollout.ts'
import { breaker } from '../machines/breaker.ts'
import { solver } from '../machines/solver.ts'
import type { RolloutSession, Spent } from '../src/rollout/session.ts'

const machines = { breaker, solver }

export async function playRollout<Kept> (
  role: 'breaker' | 'solver', session: RolloutSession<Kept>, input: RolloutInput, signal: AbortSignal
): Promise<RolloutOutcome> {
  const logic = machines[role].provide({
    actors: {
      open: fromPromise<void, { rolloutId: string }>(({ signal }) => session.open(signal)),
      ask: fromPromise<Awaited<ReturnType<typeof session.ask>>, Spent>(({ input, signal }) => session.ask(input, signal)),
      act: fromPromise<{ tokens: number }, Spent>(({ input, signal }) => session.act(input, signal)),
      collect: fromPromise<{ accepted: boolean; tokens: number }, Spent>(({ input }) => session.collect(input))
    }
  })
  const actor: ActorRefFrom<typeof breaker> = createActor(logic as typeof breaker, { id: input.rolloutId, input })
  const cancel = (): void => actor.send({ type: 'rollout.cancel' })
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await new Promise<RolloutOutcome>((resolve, reject) => {
      actor.subscribe({
        next: snapshot => { if (snapshot.status === 'done') resolve(snapshot.output) },
        error: reject
      })
      actor.start()
      if (signal.aborted) cancel()
    })
  } finally {
    signal.removeEventListener('abort', cancel)
    actor.stop()
    await session.close()
  }
}
