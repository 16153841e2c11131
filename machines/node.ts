// One node of the cluster, from joining to leaving.
//
//   joining ──> attending: serving ──> draining ──> aborting ──> leaving ──> left
//      │                      │            └─ every slot stopped ──^
//      │                      └─ what it cannot be without has ended: draining, and the node has failed
//      └─ it could not join: left
//
// N1. Draining is a state: nothing is taken any more, what runs has `drainMs` to finish; then it is aborted and handed back.
// N2. Aborting has a bound too: what does not end within `abortMs` is left to redelivery.
// N3. Slots are at most ~100 children of one parent; a finished child is dropped.

import { assign, enqueueActions, setup, stopChild } from 'xstate'
import { effect } from './effect.ts'
import { slot, type SlotInput } from './slot.ts'

export interface NodeInput { nodeId: string; slots: SlotInput[]; drainMs: number; abortMs: number }
export type NodeOutcome = { kind: 'left'; handedBack: boolean } | { kind: 'failed'; code: string; reason: string }

type Context = NodeInput & { open: string[]; aborted: boolean; fault: { code: string; reason: string } | null }

export type NodeEvent =
  | { type: 'node.drain' }
  | { type: `xstate.done.actor.slot.${string}`; output: unknown; actorId: string }
  | { type: `xstate.error.actor.slot.${string}`; error: unknown; actorId: string }

const faultOf = (error: unknown): { code: string; reason: string } => {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : 'DEFECT', reason: typeof message === 'string' ? message : String(error) }
}

export const node = setup({
  types: {
    input: {} as NodeInput,
    context: {} as Context,
    events: {} as NodeEvent,
    output: {} as NodeOutcome,
    tags: {} as 'ready' | 'draining'
  },
  actors: {
    slot,
    join: effect<void, { nodeId: string }>('node.join'),
    /** Runs as long as the node does: presence, runs, arenas. Ends only by a fault. */
    attend: effect<void, { nodeId: string }>('node.attend'),
    leave: effect<void, { nodeId: string }>('node.leave')
  },
  guards: {
    hasNoSlot: ({ context }) => context.open.length === 0
  },
  actions: {
    openSlots: enqueueActions(({ context, enqueue }) => {
      for (const input of context.slots) enqueue.spawnChild('slot', { id: `slot.${input.slotId}`, input })
      enqueue.assign({ open: context.slots.map(({ slotId }) => `slot.${slotId}`) })
    }),
    drainSlots: enqueueActions(({ context, enqueue }) => {
      for (const id of context.open) enqueue.sendTo(id, { type: 'slot.drain' })
    }),
    dropSlot: stopChild((_, actorId: string) => actorId),
    forgetSlot: assign({ open: ({ context }, actorId: string) => context.open.filter(id => id !== actorId) }),
    fail: assign({ fault: ({ context }, params: { error: unknown }) => context.fault ?? faultOf(params.error) }),
    /** Whoever runs the machine aborts what works when it sees this. */
    abort: assign({ aborted: true })
  },
  delays: { drain: ({ context }) => context.drainMs, abort: ({ context }) => context.abortMs }
}).createMachine({
  id: 'node',
  context: ({ input }) => ({ ...input, open: [], aborted: false, fault: null }),
  output: ({ context }): NodeOutcome => context.fault === null ? { kind: 'left', handedBack: context.aborted } : { kind: 'failed', ...context.fault },
  initial: 'joining',
  states: {
    joining: {
      invoke: {
        id: 'join',
        src: 'join',
        input: ({ context }) => ({ nodeId: context.nodeId }),
        onDone: 'attending',
        onError: { target: 'left', actions: { type: 'fail', params: ({ event }) => ({ error: event.error }) } }
      },
      on: { 'node.drain': 'leaving' }
    },
    attending: {
      invoke: {
        id: 'attend',
        src: 'attend',
        input: ({ context }) => ({ nodeId: context.nodeId }),
        onDone: '.draining',
        onError: { target: '.draining', actions: { type: 'fail', params: ({ event }) => ({ error: event.error }) } }
      },
      entry: 'openSlots',
      initial: 'serving',
      states: {
        serving: {
          tags: 'ready',
          on: { 'node.drain': 'draining' }
        },
        draining: {
          tags: 'draining',
          entry: 'drainSlots',
          always: { guard: 'hasNoSlot', target: '#node.leaving' },
          after: { drain: 'aborting' }
        },
        aborting: {
          tags: 'draining',
          entry: 'abort',
          always: { guard: 'hasNoSlot', target: '#node.leaving' },
          after: { abort: '#node.leaving' }
        }
      },
      on: {
        'xstate.done.actor.slot.*': { actions: [{ type: 'dropSlot', params: ({ event }) => event.actorId }, { type: 'forgetSlot', params: ({ event }) => event.actorId }] },
        'xstate.error.actor.slot.*': { target: '.draining', actions: [{ type: 'dropSlot', params: ({ event }) => event.actorId }, { type: 'forgetSlot', params: ({ event }) => event.actorId }, { type: 'fail', params: ({ event }) => ({ error: event.error }) }] }
      }
    },
    leaving: {
      invoke: { id: 'leave', src: 'leave', input: ({ context }) => ({ nodeId: context.nodeId }), onDone: 'left', onError: 'left' }
    },
    left: { type: 'final' }
  }
})
