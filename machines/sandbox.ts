// The life of one sandbox.
//
//   opening ──> ready ⇄ busy ──> closing ──> closed
//      │  ^       └─ idle too long ──^ ^
//      v  │                            │
//   backingOff      lost under a command
//
// B1. Opening is tried `opensMax` times; a fault that cannot pass is not tried again.
// B2. A sandbox that nobody uses for `idleMsMax` is closed: a rollout that was forgotten holds no place for ever.
// B3. Whatever the ending, closing is run once, and its failure does not keep the machine alive (the reaper has the lease).

import { assign, setup } from 'xstate'
import { effect } from './effect.ts'

export interface SandboxInput { opensMax: number; openMsMax: number; backoffMs: number; idleMsMax: number }

export type SandboxOutcome =
  | { kind: 'closed' }
  | { kind: 'expired' }
  | { kind: 'lost'; reason: string }
  | { kind: 'failed'; fault: SandboxFault }

export interface SandboxFault { code: string; message: string; retryable: boolean }

type Context = SandboxInput & { opens: number; outcome: SandboxOutcome }

export type SandboxEvent =
  | { type: 'sandbox.busy' }
  | { type: 'sandbox.idle' }
  | { type: 'sandbox.lost'; reason: string }
  | { type: 'sandbox.close' }

const faultOf = (error: unknown): SandboxFault => {
  const { code, message, retryable } = (error ?? {}) as Partial<SandboxFault>
  return { code: code ?? 'DEFECT', message: message ?? String(error), retryable: retryable === true }
}

export const sandbox = setup({
  types: { input: {} as SandboxInput, context: {} as Context, events: {} as SandboxEvent, output: {} as SandboxOutcome },
  actors: { open: effect<void, void>('sandbox.open'), close: effect<void, void>('sandbox.close') },
  guards: { mayTryAgain: ({ context }, fault: SandboxFault) => fault.retryable && context.opens < context.opensMax },
  actions: {
    countOpen: assign({ opens: ({ context }) => context.opens + 1 }),
    end: assign({ outcome: (_, outcome: SandboxOutcome) => outcome })
  },
  delays: {
    openDeadline: ({ context }) => context.openMsMax,
    backoff: ({ context }) => context.backoffMs * 2 ** (context.opens - 1),
    idleDeadline: ({ context }) => context.idleMsMax
  }
}).createMachine({
  id: 'sandbox',
  context: ({ input }) => ({ ...input, opens: 0, outcome: { kind: 'closed' } }),
  output: ({ context }) => context.outcome,
  initial: 'opening',
  on: { 'sandbox.close': '.closing' },
  states: {
    opening: {
      entry: 'countOpen',
      invoke: {
        id: 'open',
        src: 'open',
        onDone: 'ready',
        onError: [
          { guard: { type: 'mayTryAgain', params: ({ event }) => faultOf(event.error) }, target: 'backingOff' },
          { target: 'closing', actions: { type: 'end', params: ({ event }) => ({ kind: 'failed', fault: faultOf(event.error) }) } }
        ]
      },
      after: {
        openDeadline: {
          target: 'closing',
          actions: { type: 'end', params: ({ context }) => ({ kind: 'failed', fault: { code: 'SANDBOX_OPEN_TIMEOUT', message: `Cannot open a sandbox: it was not ready after ${context.openMsMax} ms`, retryable: true } }) }
        }
      }
    },
    backingOff: { after: { backoff: 'opening' } },
    ready: {
      on: { 'sandbox.busy': 'busy', 'sandbox.lost': { target: 'closing', actions: { type: 'end', params: ({ event }) => ({ kind: 'lost', reason: event.reason }) } } },
      after: { idleDeadline: { target: 'closing', actions: { type: 'end', params: { kind: 'expired' } } } }
    },
    busy: {
      on: { 'sandbox.idle': 'ready', 'sandbox.lost': { target: 'closing', actions: { type: 'end', params: ({ event }) => ({ kind: 'lost', reason: event.reason }) } } }
    },
    closing: {
      on: { 'sandbox.close': {} },
      invoke: { id: 'close', src: 'close', onDone: 'closed', onError: 'closed' }
    },
    closed: { type: 'final' }
  }
})
