// A policy that plays by the seed of its task: breakers that make good bugs and bad ones of every kind, solvers that repair, fail
// or give up. What it does follows from the seed and what its tools show, never from when or where it is asked, so that a rollout
// that is issued again is the same. Only what goes wrong on the way to it is the simulation's.

import type { Reply, RolloutTask } from '../domain.ts'
import type { Clock, Policy, PolicySession, PolicyVersions, Random } from '../ports.ts'
import { cancelled, fault, type ServerCode } from '../policy/llm/servers/faults.ts'
import { unversioned } from '../policy/llm/policy.ts'
import { playBreaker } from './breaker.ts'
import { givesUp } from './play.ts'
import { drawSpan, slowFactor, type Span } from './sandboxes.ts'
import { playSolver } from './solver.ts'
import { hanging, sleepOr } from './waiting.ts'

/** `error`: one of the errors that a server's client throws. `hang`: no answer until the rollout gives up. `slow`: ten times as long. */
export type PolicyFault = 'error' | 'hang' | 'slow'
/** Asked before each answer. */
export type PolicyStrike = (operation: 'ask', rolloutId: string) => PolicyFault | null

export interface SimulatedPolicyOptions {
  name: string
  clock: Clock
  /** For times and errors only. */
  random: Random
  /** Share of bugs that a solver repairs, on average: some are easy, some hard. */
  skill?: number
  versions?: PolicyVersions
  latency?: Span
  strike?: PolicyStrike
}

/** Share of bugs that a solver repairs, on average, where nothing else is said. */
export const skill = 0.5

const policyLatency: Span = { min: 300, max: 6_000 }

export function createSimulatedPolicy ({ name, clock, random, skill: share = skill, versions = unversioned, latency = policyLatency, strike = () => null }: SimulatedPolicyOptions): Policy {
  const start = (task: RolloutTask): PolicySession => {
    const play = task.role === 'breaker' ? playBreaker(task) : playSolver(task, share)
    let last: Reply | null = null
    return {
      async next (observation, signal) {
        const struck = strike('ask', task.rolloutId)
        await sleepOr(clock, drawSpan(latency, random) * (struck === 'slow' ? slowFactor : 1), signal, cancelled)
        if (struck === 'hang') await hanging(signal, cancelled)
        if (struck === 'error') throw fault(random.pick(errors), 'finish the turn', 'the simulation says so')
        if (last !== null) return last
        const { value, done } = observation === null ? play.next() : play.next(observation)
        if (done) last = value
        return value
      },
      async close () { play.return(givesUp('The session was closed.')) }
    }
  }
  return { name, get version () { return versions.current() }, start }
}

const errors: readonly ServerCode[] = ['SERVER_DOWN', 'SERVER_BUSY', 'SERVER_ERROR', 'SERVER_ABORTED', 'SERVER_TIMEOUT', 'SERVER_PROTOCOL']
