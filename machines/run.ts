// One run: plays its episodes, at most `inFlight` at a time, and sums up.
//
//   playing ──> summarising ──> done
//      ├─ pause, resume: no new episode starts in between, but one with each step; nor between wait and go, which the run's trainer decides
//      ├─ drain: no new episode starts; those in flight are left to a resume
//      └─ halt: the same, and the run has failed: what it finds out can no longer be kept
//
// N1. Episodes are numbered from 1; number and seed decide everything about an episode, so order does not.
// N2. A finished child is stopped at once: a long run keeps no dead children.

import { assign, enqueueActions, setup, stopChild } from 'xstate'
import { effect } from './effect.ts'

/** `waiting`: it starts no episode before it is told to go. */
export interface RunInput { runId: string; episodes: number; inFlight: number; waiting: boolean }
/** `failed` episodes ended by a defect or a fault of ours; a resume plays them on. */
export type RunOutcome = { kind: 'finished'; played: number; failed: number; reason: string } | { kind: 'drained'; played: number } | { kind: 'failed'; reason: string }

type Context = RunInput & { paused: boolean; next: number; active: number; played: number; failed: number; reason: string; outcome: RunOutcome | null }

export type RunEvent =
  | { type: 'run.drain' | 'run.pause' | 'run.resume' | 'run.step' | 'run.wait' | 'run.go' }
  | { type: 'run.halt'; reason: string }
  | { type: `xstate.done.actor.episode.${string}`; output: unknown; actorId: string }
  | { type: `xstate.error.actor.episode.${string}`; error: unknown; actorId: string }

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

export const run = setup({
  types: { input: {} as RunInput, context: {} as Context, events: {} as RunEvent, output: {} as RunOutcome },
  actors: {
    episode: effect<unknown, { number: number }>('run.episode'),
    summarise: effect<void, { runId: string }>('run.summarise')
  },
  guards: {
    isLast: ({ context }) => context.played + context.failed + 1 >= context.episodes,
    isPaused: ({ context }) => context.paused,
    isGoing: ({ context }) => !context.paused,
    mayStep: ({ context }) => context.paused && !context.waiting && context.next <= context.episodes
  },
  actions: {
    fill: enqueueActions(({ context, enqueue }) => {
      const starts = context.paused || context.waiting ? 0 : Math.min(context.inFlight - context.active, context.episodes - context.next + 1)
      for (let offset = 0; offset < starts; offset++) {
        enqueue.spawnChild('episode', { id: `episode.${context.next + offset}`, input: { number: context.next + offset } })
      }
      if (starts > 0) enqueue.assign({ next: context.next + starts, active: context.active + starts })
    }),
    startOne: enqueueActions(({ context, enqueue }) => {
      enqueue.spawnChild('episode', { id: `episode.${context.next}`, input: { number: context.next } })
      enqueue.assign({ next: context.next + 1, active: context.active + 1 })
    }),
    pause: assign({ paused: true }),
    resume: assign({ paused: false }),
    wait: assign({ waiting: true }),
    go: assign({ waiting: false }),
    dropChild: stopChild((_, actorId: string) => actorId),
    played: assign({ played: ({ context }) => context.played + 1, active: ({ context }) => context.active - 1 }),
    failed: assign({ failed: ({ context }) => context.failed + 1, active: ({ context }) => context.active - 1, reason: (_, reason: string) => reason }),
    finish: assign({ outcome: ({ context }): RunOutcome => ({ kind: 'finished', played: context.played, failed: context.failed, reason: context.reason }) }),
    drained: assign({ outcome: ({ context }): RunOutcome => ({ kind: 'drained', played: context.played }) }),
    fail: assign({ outcome: (_, reason: string): RunOutcome => ({ kind: 'failed', reason }) })
  }
}).createMachine({
  id: 'run',
  context: ({ input }) => ({ ...input, paused: false, next: 1, active: 0, played: 0, failed: 0, reason: '', outcome: null }),
  output: ({ context }) => context.outcome!,
  initial: 'playing',
  states: {
    playing: {
      entry: 'fill',
      on: {
        'run.pause': { guard: 'isGoing', actions: 'pause' },
        'run.resume': { guard: 'isPaused', actions: ['resume', 'fill'] },
        'run.step': { guard: 'mayStep', actions: 'startOne' },
        'run.wait': { actions: 'wait' },
        'run.go': { actions: ['go', 'fill'] },
        'run.drain': { target: 'done', actions: 'drained' },
        'run.halt': { target: 'done', actions: { type: 'fail', params: ({ event }) => event.reason } },
        'xstate.done.actor.episode.*': [
          { guard: 'isLast', target: 'summarising', actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, 'played'] },
          { actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, 'played', 'fill'] }
        ],
        'xstate.error.actor.episode.*': [
          { guard: 'isLast', target: 'summarising', actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'failed', params: ({ event }) => messageOf(event.error) }] },
          { actions: [{ type: 'dropChild', params: ({ event }) => event.actorId }, { type: 'failed', params: ({ event }) => messageOf(event.error) }, 'fill'] }
        ]
      }
    },
    summarising: {
      invoke: {
        id: 'summarise',
        src: 'summarise',
        input: ({ context }) => ({ runId: context.runId }),
        onDone: { target: 'done', actions: 'finish' },
        onError: { target: 'done', actions: { type: 'fail', params: ({ event }) => messageOf(event.error) } }
      }
    },
    done: { type: 'final' }
  }
})
