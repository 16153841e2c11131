// One rollout as it is played: the sandbox, the policy's session and the transcript. The machine (machines/rollout.ts)
// decides what comes next; this fills its holes. Tokens are the server's where a policy knows them; for a policy without
// tokens they are estimated at four bytes each, for the budget only.

import type { Observation, Reply, RolloutTask, ToolCall, Turn } from '../domain.ts'
import { toPlain, type PlainError } from '../errors.ts'
import type { Clock, Policy, PolicySession, PolicyTrace, Sandbox } from '../ports.ts'
import { createSpilledList } from './spilled-list.ts'
import { executeTool, type ToolLimits, type ToolResult } from './tools.ts'
import type { RolloutWatch } from './watch.ts'

/** What a submit came to: kept, or refused with a text for the policy. */
export type Submission<Kept> = { kept: Kept } | { refused: string }

export interface SessionOptions<Kept> {
  policy: Policy
  /** Everything but what only the open sandbox knows. */
  task: RolloutTask
  limits: ToolLimits
  clock: Clock
  /** Opens and prepares the sandbox. */
  open: (signal: AbortSignal) => Promise<Sandbox>
  /** Reads what was submitted out of the sandbox. */
  collect: (sandbox: Sandbox, call: Extract<ToolCall, { tool: 'submit' }>) => Promise<Submission<Kept>>
  watch?: RolloutWatch | undefined
}

export interface ToolRecord { turn: number; tool: ToolCall['tool']; exitCode: number | null; timedOut: boolean; truncatedBytes: number; ms: number }

export interface RolloutSession<Kept> {
  open (signal: AbortSignal): Promise<void>
  ask (spent: Spent, signal: AbortSignal): Promise<{ next: 'act' | 'submit' | 'malformed' | 'giveUp'; tokens: number; reason: string }>
  act (spent: Spent, signal: AbortSignal): Promise<{ tokens: number }>
  collect (spent: Spent): Promise<{ accepted: boolean; tokens: number }>
  /** `keeps` false: nobody will read what was said, so that it need not come back into the heap; `turns` has its length only. */
  close (keeps?: boolean): Promise<void>
  /** A copy, read back while the rollout is in flight. */
  readonly turns: Turn[]
  readonly tools: ToolRecord[]
  readonly kept: Kept | null
  /** Calls and tokens of a policy that has some. */
  readonly trace: PolicyTrace | null
  readonly sandbox: { id: string; kind: string; isolation: string } | null
}

const forgotten: Turn = { reply: { text: '', call: null, fault: null }, observation: null }

export interface Spent { turns: number; tokens: number }

/** Four bytes a token: an estimate for policies without a tokenizer. */
export const estimateTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4)

export function createRolloutSession<Kept> (options: SessionOptions<Kept>): RolloutSession<Kept> {
  const { clock, watch } = options
  const turns = createSpilledList<Turn>(options.policy.spill ?? null)
  /** What was said, once the rollout is over. */
  let said: Turn[] | null = null
  const tools: ToolRecord[] = []
  let sandbox: Sandbox | null = null
  let policy: PolicySession | null = null
  let observation: Observation | null = null
  let kept: Kept | null = null
  let closed = false

  const lastCall = (): ToolCall => turns.last!.reply.call!

  /** Hands a result to the policy's next turn, with the budget that is left. */
  const tell = (result: ToolResult, spent: Spent): { tokens: number } => {
    const tokens = estimateTokens(result.text)
    observation = {
      ...result,
      turnsLeft: Math.max(0, options.task.turnsMax - spent.turns),
      tokensLeft: Math.max(0, options.task.tokensMax - spent.tokens - tokens)
    }
    turns.last!.observation = observation
    return { tokens }
  }

  const record = (result: ToolResult, startedAt: number): void => {
    const { exitCode, timedOut, truncatedBytes } = result
    const endedAt = clock.now()
    tools.push({ turn: turns.length, tool: lastCall().tool, exitCode, timedOut, truncatedBytes, ms: endedAt - startedAt })
    watch?.used({ turn: turns.length, call: lastCall(), result, error: null, startedAt, endedAt })
  }

  const fault = (error: PlainError, startedAt: number): void => watch?.used({ turn: turns.length, call: lastCall(), result: null, error, startedAt, endedAt: clock.now() })

  /** What could not be done is told to who looks on, and thrown. */
  const watched = async <Result>(work: Promise<Result>, told: (error: PlainError) => void): Promise<Result> => {
    if (watch === undefined) return await work
    try {
      return await work
    } catch (error) {
      told(toPlain(error))
      throw error
    }
  }

  const reply = async (signal: AbortSignal): Promise<Reply> => {
    const startedAt = clock.now()
    const before = policy!.lastCall ?? null
    const seen = (reply: Reply | null, error: PlainError | null): void => {
      const last = policy!.lastCall ?? null
      // A policy may answer without a call.
      const call = last === before ? null : last
      watch?.asked({ turn: turns.length + 1, reply, call, version: call?.policy_version ?? options.policy.version, error: signal.aborted && error !== null ? { code: 'CANCELLED', message: error.message } : error, startedAt, endedAt: clock.now() })
    }
    const replied = await watched(policy!.next(observation, signal), error => seen(null, error))
    seen(replied, null)
    return replied
  }

  return {
    get turns () { return said ?? turns.slice() },
    tools,
    get kept () { return kept },
    get trace () { return policy?.trace?.() ?? null },
    get sandbox () { return sandbox && { id: sandbox.id, kind: sandbox.kind, isolation: sandbox.isolation } },

    async open (signal) {
      const opened = await options.open(signal)
      if (closed) return opened.destroy()
      sandbox = opened
      policy = options.policy.start({ ...options.task, tree: sandbox.tree, scratch: sandbox.scratch })
    },

    async ask (spent, signal) {
      const replied = await reply(signal)
      turns.push({ reply: replied, observation: null })
      const tokens = replied.contextTokens === undefined ? estimateTokens(replied.text + (replied.call ? JSON.stringify(replied.call) : '')) : replied.contextTokens - spent.tokens
      if (replied.call) return { next: replied.call.tool === 'submit' ? 'submit' : 'act', tokens, reason: '' }
      const reason = replied.fault ?? 'the reply held no tool call'
      if (replied.ends) return { next: 'giveUp', tokens, reason }
      tell({ exitCode: 1, text: `No tool was called: ${reason}`, truncatedBytes: 0, timedOut: false }, spent)
      return { next: 'malformed', tokens, reason }
    },

    async act (spent, signal) {
      const startedAt = clock.now()
      const result = await watched(executeTool(sandbox!, lastCall() as Exclude<ToolCall, { tool: 'submit' }>, options.limits, signal), error => fault(error, startedAt))
      record(result, startedAt)
      return tell(result, spent)
    },

    async collect (spent) {
      const startedAt = clock.now()
      const submission = await watched(options.collect(sandbox!, lastCall() as Extract<ToolCall, { tool: 'submit' }>), error => fault(error, startedAt))
      const accepted = 'kept' in submission
      if (accepted) kept = submission.kept
      const result = { exitCode: accepted ? 0 : 1, text: accepted ? 'Submitted.' : submission.refused, truncatedBytes: 0, timedOut: false }
      record(result, startedAt)
      return { accepted, ...tell(result, spent) }
    },

    async close (keeps = true) {
      closed = true
      said ??= keeps ? turns.slice() : Array.from({ length: turns.length }, () => forgotten)
      turns.free()
      await Promise.allSettled([policy?.close(), sandbox?.destroy()])
    }
  }
}

