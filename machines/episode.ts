// One episode: the life of one bug.
//
//   breaking ──> verifying ──> solving ──> solved ──> promoting ──> settling ──> done
//      │             │            ^          └────────────│───────────^  ^
//      │             │            └─ releasing <── a bug of order 2 ─┘   │
//      └─────────────┴── no bug, rejected or undecided; cancelled ───────┘
//
// E1. Every attempt is a child of its own, so that each can be seen, issued again and lost alone.
// E2. The solving state is left when every attempt of the group has an outcome; an infrastructure fault is an outcome
//     without a verdict and moves no solve rate.
// E3. What the first group says of breaker and solvers is final: before a bug of order 2 is played it is released, so that it does not
//     grow old meanwhile (docs/scale.md). From then on the episode was played: a cancel leaves out the second order.
// E4. Context is JSON: ids and counters. Each effect is idempotent by its id, so a restored snapshot plays on.

import { assign, enqueueActions, setup, stopChild } from 'xstate'
import type { CheckName, Outcome } from '../src/domain.ts'
import { effect } from './effect.ts'

export interface EpisodeInput { episodeId: string; groupSize: number; orderMax: number }

export type Broken =
  | { kind: 'submitted'; bugId: string }
  | { kind: 'fault'; outcome: Exclude<Outcome, 'scored'>; reason: string }

export type Verified =
  | { kind: 'valid' }
  | { kind: 'rejected'; failed: CheckName; reason: string }
  | { kind: 'undecided'; outcome: 'infra_fault' | 'cancelled'; reason: string }

export interface Attempted { member: number; outcome: Outcome; solved: boolean | null; reason: string }

/** One bug of the episode and its solver group. */
export interface PlayedBug { bugId: string; order: number; attempts: Attempted[] }

export type Ending =
  | { kind: 'played' }
  | { kind: 'rejected'; failed: CheckName; reason: string }
  | { kind: 'fault'; outcome: Exclude<Outcome, 'scored'>; reason: string }

export interface EpisodeOutcome { episodeId: string; ending: Ending; bugs: PlayedBug[] }

type Context = EpisodeInput & { bugs: PlayedBug[]; ending: Ending | null }
type AttemptInput = { episodeId: string; bugId: string; order: number; member: number }

export type EpisodeEvent =
  | { type: 'episode.cancel' }
  | { type: `xstate.done.actor.attempt.${string}`; output: Attempted; actorId: string }
  | { type: `xstate.error.actor.attempt.${string}`; error: unknown; actorId: string }

const memberOf = (actorId: string): number => Number(actorId.split('.').at(-1))

export const episode = setup({
  types: {
    input: {} as EpisodeInput,
    context: {} as Context,
    events: {} as EpisodeEvent,
    output: {} as EpisodeOutcome,
    tags: {} as 'breaking' | 'verifying' | 'solving'
  },
  actors: {
    break: effect<Broken, { episodeId: string }>('episode.break'),
    verify: effect<Verified, { episodeId: string; bugId: string }>('episode.verify'),
    attempt: effect<Attempted, AttemptInput>('episode.attempt'),
    promote: effect<{ bugId: string | null }, { episodeId: string; parent: PlayedBug }>('episode.promote'),
    release: effect<void, EpisodeOutcome>('episode.release'),
    settle: effect<void, EpisodeOutcome>('episode.settle')
  },
  guards: {
    isSubmitted: (_, broken: Broken) => broken.kind === 'submitted',
    isValid: (_, verified: Verified) => verified.kind === 'valid',
    isLastAttempt: ({ context }) => context.bugs.at(-1)!.attempts.length + 1 >= context.groupSize,
    mayPromote: ({ context }) => context.bugs.length < context.orderMax,
    isReleased: ({ context }) => context.bugs.length > 1,
    isPromoted: (_, promoted: { bugId: string | null }) => promoted.bugId !== null
  },
  actions: {
    keepBug: assign({ bugs: ({ context }, bugId: string) => [...context.bugs, { bugId, order: context.bugs.length + 1, attempts: [] }] }),
    startAttempts: enqueueActions(({ context, enqueue }) => {
      const { bugId, order } = context.bugs.at(-1)!
      for (let member = 0; member < context.groupSize; member++) {
        enqueue.spawnChild('attempt', { id: `attempt.${order}.${member}`, input: { episodeId: context.episodeId, bugId, order, member } })
      }
    }),
    keepAttempt: assign({
      bugs: ({ context }, attempted: Attempted) => context.bugs.map((bug, index) =>
        index === context.bugs.length - 1 ? { ...bug, attempts: [...bug.attempts, attempted].sort((a, b) => a.member - b.member) } : bug)
    }),
    leaveSecondOrder: assign({ bugs: ({ context }) => context.bugs.slice(0, -1) }),
    dropChild: stopChild((_, actorId: string) => actorId),
    end: assign({ ending: (_, ending: Ending) => ending })
  }
}).createMachine({
  id: 'episode',
  context: ({ input }) => ({ ...input, bugs: [], ending: null }),
  output: ({ context }) => ({ episodeId: context.episodeId, ending: context.ending!, bugs: context.bugs }),
  on: {
    'episode.cancel': [
      { guard: 'isReleased', target: '.settling', actions: 'leaveSecondOrder' },
      { target: '.settling', actions: { type: 'end', params: { kind: 'fault', outcome: 'cancelled', reason: 'cancelled' } } }
    ]
  },
  initial: 'breaking',
  states: {
    breaking: {
      tags: 'breaking',
      invoke: {
        id: 'break',
        src: 'break',
        input: ({ context }) => ({ episodeId: context.episodeId }),
        onDone: [
          { guard: { type: 'isSubmitted', params: ({ event }) => event.output }, target: 'verifying', actions: { type: 'keepBug', params: ({ event }) => (event.output as { bugId: string }).bugId } },
          { target: 'settling', actions: { type: 'end', params: ({ event }) => event.output as Ending } }
        ]
      }
    },
    verifying: {
      tags: 'verifying',
      invoke: {
        id: 'verify',
        src: 'verify',
        input: ({ context }) => ({ episodeId: context.episodeId, bugId: context.bugs[0]!.bugId }),
        onDone: [
          { guard: { type: 'isValid', params: ({ event }) => event.output }, target: 'solving', actions: { type: 'end', params: { kind: 'played' } } },
          { target: 'settling', actions: { type: 'end', params: ({ event }) => endingOf(event.output) } }
        ]
      }
    },
    solving: {
      tags: 'solving',
      entry: 'startAttempts',
      on: {
        'xstate.done.actor.attempt.*': [
          { guard: 'isLastAttempt', target: 'solved', actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'keepAttempt', params: ({ event }) => event.output }] },
          { actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'keepAttempt', params: ({ event }) => event.output }] }
        ],
        'xstate.error.actor.attempt.*': [
          { guard: 'isLastAttempt', target: 'solved', actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'keepAttempt', params: ({ event }) => defect(event) }] },
          { actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'keepAttempt', params: ({ event }) => defect(event) }] }
        ]
      }
    },
    solved: { always: [{ guard: 'mayPromote', target: 'promoting' }, { target: 'settling' }] },
    promoting: {
      invoke: {
        id: 'promote',
        src: 'promote',
        input: ({ context }) => ({ episodeId: context.episodeId, parent: context.bugs.at(-1)! }),
        onDone: [
          { guard: { type: 'isPromoted', params: ({ event }) => event.output }, target: 'releasing', actions: { type: 'keepBug', params: ({ event }) => event.output.bugId! } },
          { target: 'settling' }
        ]
      }
    },
    releasing: {
      invoke: {
        id: 'release',
        src: 'release',
        input: ({ context }) => ({ episodeId: context.episodeId, ending: context.ending!, bugs: context.bugs.slice(0, -1) }),
        onDone: 'solving'
      }
    },
    settling: {
      on: { 'episode.cancel': {} },
      invoke: {
        id: 'settle',
        src: 'settle',
        input: ({ context }) => ({ episodeId: context.episodeId, ending: context.ending!, bugs: context.bugs }),
        onDone: 'done'
      }
    },
    done: { type: 'final' }
  }
})

function endingOf (verified: Verified): Ending {
  if (verified.kind === 'rejected') return verified
  return { kind: 'fault', outcome: verified.kind === 'undecided' ? verified.outcome : 'infra_fault', reason: verified.kind === 'undecided' ? verified.reason : '' }
}

/** An attempt that threw is a defect of ours: an infrastructure fault, never a lost attempt of the solver. */
const defect = ({ actorId, error }: { actorId: string; error: unknown }): Attempted =>
  ({ member: memberOf(actorId), outcome: 'infra_fault', solved: null, reason: error instanceof Error ? error.message : String(error) })
