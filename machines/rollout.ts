// One play of a role, the same for both: ask the policy, act in the sandbox, until it submits or a budget is spent.
//
//   opening ──> asking ──> acting ──> deciding ──> asking …
//                 │                      ^   └─ budget spent: done
//                 └──> collecting ──> done
//                          └─ refused ──┘
//
// R1. The machine counts turns and tokens; the transcript stays with the actor, outside of the context.
// R2. What the policy did wrong ends as `policy_fault` (scored); what we did wrong, a deadline of ours included, as
//     `infra_fault` (never scored, issued again).
// R3. A submit that was refused is told to the policy like any other result; the last accepted submit counts.

import { assign, setup } from 'xstate'
import { effect } from './effect.ts'

export interface RolloutInput {
  rolloutId: string
  turnsMax: number
  tokensMax: number
  /** Deadlines of ours, milliseconds. */
  openMsMax: number
  askMsMax: number
  actMsMax: number
  collectMsMax: number
}

export type RolloutOutcome =
  | { kind: 'submitted'; turns: number }
  | { kind: 'policy_fault'; reason: string; turns: number }
  | { kind: 'infra_fault'; code: string; reason: string; turns: number }
  | { kind: 'cancelled'; turns: number }

/** What asking came to: a tool call to act on, a submit, the end, or a reply without a usable call. */
export type Asked = { next: 'act' | 'submit' | 'malformed' | 'giveUp'; tokens: number; reason: string }
export type Acted = { tokens: number }
export type Collected = { accepted: boolean; tokens: number }

type Spent = { turns: number; tokens: number }
type Context = RolloutInput & Spent & { malformed: number; outcome: RolloutOutcome | null }

export type RolloutEvent = { type: 'rollout.cancel' }

type Fault = { code: string; reason: string }

const faultOf = (error: unknown): Fault => {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : 'DEFECT', reason: typeof message === 'string' ? message : String(error) }
}

/** Replies in a row without a usable tool call before the rollout ends. */
export const malformedMax = 3

export const createRollout = <Id extends string>(id: Id) => setup({
  types: {
    input: {} as RolloutInput,
    context: {} as Context,
    events: {} as RolloutEvent,
    output: {} as RolloutOutcome,
    tags: {} as 'usesPolicy' | 'usesSandbox'
  },
  actors: {
    open: effect<void, { rolloutId: string }>(`${id}.open`),
    ask: effect<Asked, Spent>(`${id}.ask`),
    act: effect<Acted, Spent>(`${id}.act`),
    collect: effect<Collected, Spent>(`${id}.collect`)
  },
  guards: {
    isAct: (_, asked: Asked) => asked.next === 'act',
    isSubmit: (_, asked: Asked) => asked.next === 'submit',
    gaveUp: (_, asked: Asked) => asked.next === 'giveUp',
    malformedTooOften: ({ context }, asked: Asked) => asked.next === 'malformed' && context.malformed + 1 >= malformedMax,
    isAccepted: (_, collected: Collected) => collected.accepted,
    budgetSpent: ({ context }) => context.turns >= context.turnsMax || context.tokens >= context.tokensMax
  },
  actions: {
    countTurn: assign({
      turns: ({ context }) => context.turns + 1,
      tokens: ({ context }, asked: Asked) => context.tokens + asked.tokens,
      malformed: ({ context }, asked: Asked) => asked.next === 'malformed' ? context.malformed + 1 : 0
    }),
    countTokens: assign({ tokens: ({ context }, spent: { tokens: number }) => context.tokens + spent.tokens }),
    submitted: assign({ outcome: ({ context }): RolloutOutcome => ({ kind: 'submitted', turns: context.turns }) }),
    blamePolicy: assign({ outcome: ({ context }, reason: string): RolloutOutcome => ({ kind: 'policy_fault', reason, turns: context.turns }) }),
    blameUs: assign({ outcome: ({ context }, fault: Fault): RolloutOutcome => ({ kind: 'infra_fault', ...fault, turns: context.turns }) }),
    cancel: assign({ outcome: ({ context }): RolloutOutcome => ({ kind: 'cancelled', turns: context.turns }) })
  },
  delays: {
    openDeadline: ({ context }) => context.openMsMax,
    askDeadline: ({ context }) => context.askMsMax,
    actDeadline: ({ context }) => context.actMsMax,
    collectDeadline: ({ context }) => context.collectMsMax
  }
}).createMachine({
  id,
  context: ({ input }) => ({ ...input, turns: 0, tokens: 0, malformed: 0, outcome: null }),
  output: ({ context }) => context.outcome!,
  on: { 'rollout.cancel': { target: '.done', actions: 'cancel' } },
  initial: 'opening',
  states: {
    opening: {
      tags: 'usesSandbox',
      invoke: {
        id: 'open',
        src: 'open',
        input: ({ context }) => ({ rolloutId: context.rolloutId }),
        onDone: 'asking',
        onError: { target: 'done', actions: { type: 'blameUs', params: ({ event }) => faultOf(event.error) } }
      },
      after: { openDeadline: { target: 'done', actions: { type: 'blameUs', params: { code: 'ROLLOUT_OPEN_TIMEOUT', reason: 'The sandbox was not ready in time' } } } }
    },
    deciding: {
      always: [
        { guard: 'budgetSpent', target: 'done', actions: { type: 'blamePolicy', params: 'budget spent without a submit' } },
        { target: 'asking' }
      ]
    },
    asking: {
      tags: 'usesPolicy',
      invoke: {
        id: 'ask',
        src: 'ask',
        input: ({ context }) => ({ turns: context.turns, tokens: context.tokens }),
        onDone: [
          { guard: { type: 'isAct', params: ({ event }) => event.output }, target: 'acting', actions: { type: 'countTurn', params: ({ event }) => event.output } },
          { guard: { type: 'isSubmit', params: ({ event }) => event.output }, target: 'collecting', actions: { type: 'countTurn', params: ({ event }) => event.output } },
          { guard: { type: 'gaveUp', params: ({ event }) => event.output }, target: 'done', actions: [{ type: 'countTurn', params: ({ event }) => event.output }, { type: 'blamePolicy', params: ({ event }) => event.output.reason }] },
          { guard: { type: 'malformedTooOften', params: ({ event }) => event.output }, target: 'done', actions: [{ type: 'countTurn', params: ({ event }) => event.output }, { type: 'blamePolicy', params: ({ event }) => `no usable tool call ${malformedMax} times in a row: ${event.output.reason}` }] },
          { target: 'deciding', actions: { type: 'countTurn', params: ({ event }) => event.output } }
        ],
        onError: { target: 'done', actions: { type: 'blameUs', params: ({ event }) => faultOf(event.error) } }
      },
      after: { askDeadline: { target: 'done', actions: { type: 'blameUs', params: { code: 'POLICY_TIMEOUT', reason: 'The policy did not answer in time' } } } }
    },
    acting: {
      tags: 'usesSandbox',
      invoke: {
        id: 'act',
        src: 'act',
        input: ({ context }) => ({ turns: context.turns, tokens: context.tokens }),
        onDone: { target: 'deciding', actions: { type: 'countTokens', params: ({ event }) => event.output } },
        onError: { target: 'done', actions: { type: 'blameUs', params: ({ event }) => faultOf(event.error) } }
      },
      after: { actDeadline: { target: 'done', actions: { type: 'blameUs', params: { code: 'SANDBOX_TIMEOUT', reason: 'A tool call outlived its own deadline' } } } }
    },
    collecting: {
      tags: 'usesSandbox',
      invoke: {
        id: 'collect',
        src: 'collect',
        input: ({ context }) => ({ turns: context.turns, tokens: context.tokens }),
        onDone: [
          { guard: { type: 'isAccepted', params: ({ event }) => event.output }, target: 'done', actions: 'submitted' },
          { target: 'deciding', actions: { type: 'countTokens', params: ({ event }) => event.output } }
        ],
        onError: { target: 'done', actions: { type: 'blameUs', params: ({ event }) => faultOf(event.error) } }
      },
      after: { collectDeadline: { target: 'done', actions: { type: 'blameUs', params: { code: 'SANDBOX_TIMEOUT', reason: 'The submit could not be read in time' } } } }
    },
    done: { type: 'final' }
  }
})
