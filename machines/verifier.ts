// One verification: the eight checks of an artifact in six stages, the cheapest first.
//
//   static ──> clean ──> buggy ──> weakened ──> inverse ──> determinism ──> done
//      └─────────┴─────────┴── a check fails: done ──┴────────────┘
//
// F1. The first stage with a failed check decides; later stages do not run.
// F2. A stage that throws or outlives its deadline is our fault: the outcome is undecided, never a rejection.
// F3. Checks that a stage reports again replace the earlier report (the parser has read one more log).

import { assign, setup } from 'xstate'
import type { StageName, StageReport, VerificationOutcome } from '../src/verify/types.ts'
import { effect } from './effect.ts'

export interface VerifierInput {
  bugId: string
  /** Deadline of each stage, milliseconds. */
  stageMsMax: number
}

export type VerifierEvent = { type: 'verifier.cancel' }

type StageInput = { bugId: string; stage: StageName }
type Fault = { stage: StageName; code: string; reason: string }
type Ending = { kind: 'decided' } | ({ kind: 'undecided' } & Fault) | { kind: 'cancelled' }
type Context = VerifierInput & StageReport & { ending: Ending | null }

const faultOf = (stage: StageName, error: unknown): Fault => {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return { stage, code: typeof code === 'string' ? code : 'DEFECT', reason: typeof message === 'string' ? message : String(error) }
}

const verifierSetup = setup({
  types: { input: {} as VerifierInput, context: {} as Context, events: {} as VerifierEvent, output: {} as VerificationOutcome },
  actors: { stage: effect<StageReport, StageInput>('verifier.stage') },
  guards: { isRejected: (_, report: StageReport) => report.checks.some(check => check.verdict === 'fail') },
  actions: {
    keep: assign({
      checks: ({ context }, report: StageReport) => [...context.checks.filter(old => !report.checks.some(check => check.name === old.name)), ...report.checks],
      findings: ({ context }, report: StageReport) => ({ ...context.findings, ...report.findings })
    }),
    decide: assign({ ending: (): Ending => ({ kind: 'decided' }) }),
    blameUs: assign({ ending: (_, fault: Fault): Ending => ({ kind: 'undecided', ...fault }) }),
    cancel: assign({ ending: (): Ending => ({ kind: 'cancelled' }) })
  },
  delays: { stageDeadline: ({ context }) => context.stageMsMax }
})

type Done = { event: { output: StageReport } }
const keep = { type: 'keep', params: ({ event }: Done) => event.output } as const

/** Every stage is the same state: what it invokes and what comes next differ. */
const stageState = <Next extends StageName | 'done'>(stage: StageName, next: Next) => verifierSetup.createStateConfig({
  invoke: {
    id: stage,
    src: 'stage',
    input: ({ context }: { context: Context }) => ({ bugId: context.bugId, stage }),
    onDone: [
      { guard: { type: 'isRejected', params: ({ event }: Done) => event.output }, target: 'done', actions: [keep, 'decide'] },
      { target: next, actions: next === 'done' ? [keep, 'decide'] : keep }
    ],
    onError: { target: 'done', actions: { type: 'blameUs', params: ({ event }: { event: { error: unknown } }) => faultOf(stage, event.error) } }
  },
  after: { stageDeadline: { target: 'done', actions: { type: 'blameUs', params: { stage, code: 'VERIFY_DEADLINE', reason: `stage ${stage} was not over in time` } } } }
})

export const verifier = verifierSetup.createMachine({
  id: 'verifier',
  context: ({ input }) => ({ ...input, checks: [], findings: {}, ending: null }),
  output: ({ context }) => ({ checks: context.checks, findings: context.findings, ...context.ending! }),
  on: { 'verifier.cancel': { target: '.done', actions: 'cancel' } },
  initial: 'static',
  states: {
    static: stageState('static', 'clean'),
    clean: stageState('clean', 'buggy'),
    buggy: stageState('buggy', 'weakened'),
    weakened: stageState('weakened', 'inverse'),
    inverse: stageState('inverse', 'determinism'),
    determinism: stageState('determinism', 'done'),
    done: { type: 'final' }
  }
})
