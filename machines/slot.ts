// One slot of a node: takes a piece of work, does it, takes the next.
//
//   pulling ──> working ──> pulling …
//      │           └─ nothing could be decided: resting
//      └─ the bus does not answer: resting ──> pulling
//
// S1. Work ends with an outcome, whatever became of it. An error is a defect or a bus that is away, and is followed by a rest.
// S2. A slot that drains takes nothing more and finishes what it has.

import { assign, setup } from 'xstate'
import { effect } from './effect.ts'

export interface SlotInput { slotId: string; restMs: number; restMsMax: number }
export interface SlotOutcome { done: number }

type Context = SlotInput & { draining: boolean; done: number; faults: number; reason: string }

export type SlotEvent = { type: 'slot.drain' }

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

export const slot = setup({
  types: {
    input: {} as SlotInput,
    context: {} as Context,
    events: {} as SlotEvent,
    output: {} as SlotOutcome,
    tags: {} as 'busy'
  },
  actors: {
    /** Whether a piece of work was taken. */
    pull: effect<boolean, { slotId: string }>('slot.pull'),
    work: effect<void, { slotId: string }>('slot.work')
  },
  guards: {
    isDraining: ({ context }) => context.draining,
    isTaken: (_, taken: boolean) => taken
  },
  actions: {
    drain: assign({ draining: true }),
    worked: assign({ done: ({ context }) => context.done + 1, faults: 0 }),
    failed: assign({ faults: ({ context }) => context.faults + 1, reason: (_, reason: string) => reason })
  },
  delays: {
    rest: ({ context }) => Math.min(context.restMs * 2 ** (context.faults - 1), context.restMsMax)
  }
}).createMachine({
  id: 'slot',
  context: ({ input }) => ({ ...input, draining: false, done: 0, faults: 0, reason: '' }),
  output: ({ context }) => ({ done: context.done }),
  initial: 'pulling',
  states: {
    pulling: {
      on: { 'slot.drain': { target: 'stopped', actions: 'drain' } },
      invoke: {
        id: 'pull',
        src: 'pull',
        input: ({ context }) => ({ slotId: context.slotId }),
        onDone: [
          { guard: { type: 'isTaken', params: ({ event }) => event.output }, target: 'working' },
          { target: 'pulling', reenter: true }
        ],
        onError: { target: 'resting', actions: { type: 'failed', params: ({ event }) => messageOf(event.error) } }
      }
    },
    working: {
      tags: 'busy',
      on: { 'slot.drain': { actions: 'drain' } },
      invoke: {
        id: 'work',
        src: 'work',
        input: ({ context }) => ({ slotId: context.slotId }),
        onDone: [
          { guard: 'isDraining', target: 'stopped', actions: 'worked' },
          { target: 'pulling', actions: 'worked' }
        ],
        onError: [
          { guard: 'isDraining', target: 'stopped', actions: { type: 'failed', params: ({ event }) => messageOf(event.error) } },
          { target: 'resting', actions: { type: 'failed', params: ({ event }) => messageOf(event.error) } }
        ]
      }
    },
    resting: {
      on: { 'slot.drain': { target: 'stopped', actions: 'drain' } },
      after: { rest: 'pulling' }
    },
    stopped: { type: 'final' }
  }
})
