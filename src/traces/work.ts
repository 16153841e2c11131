// The spans of a run, in the words of OpenTelemetry's conventions for generative AI:
//
//   spar.run ─> spar.episode ─> invoke_agent breaker|solver ─> chat <model>
//                    │                                     └─> execute_tool <tool>
//                    └─> spar.verify, spar.grade
//
// T1. What a model wrote, and what tools answered, is exported only where somebody has asked for it.
// T2. The spans of a run and of an episode are told by the node that ended them, once they are over; an owner before it tells
//     none. Until then the spans below them name a parent that is still to come.

import type { Delivery } from '../cluster/report.ts'
import type { Asked, RolloutWatch, Used, WatchedRollout, WorkWatch } from '../rollout/watch.ts'
import { isTraced, runPath, spanIdOf, traceIdOf, turnPath, workPath } from './ids.ts'
import { traceLimits, type Span, type Tracer } from './types.ts'

export interface TraceOptions {
  /** Messages and tool results go along (T1). */
  content: boolean
  /** Of the episodes, 0 to 1. */
  share: number
}

interface Run { name: string; submittedAt: number }

/** Deliveries that ended what they were of. */
const endings = ['settled', 'cancelled', 'quarantined']

const cut = (text: string, charsMax = traceLimits.textCharsMax): string => text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`
const errorOf = (error: { code: string; message?: string | undefined } | null): Span['error'] => error && { code: error.code, message: cut(error.message ?? '', traceLimits.reasonCharsMax) }

export function traceDelivery (tracer: Tracer, delivery: Delivery, { share }: TraceOptions): void {
  const { kind, run, submittedAt, work, outcome, startedAt, ms } = delivery
  // Of rollouts their watch tells more.
  if (submittedAt === null || kind === 'rollout') return
  const trace = traceIdOf(run, submittedAt)
  const isWhole = kind === 'run' || kind === 'episode'
  const episode = work.split('.')[0]!
  if (kind !== 'run' && !isTraced(trace, episode, share)) return
  if (isWhole && !endings.includes(outcome)) return
  const path = kind === 'run' ? runPath : kind === 'episode' ? episode : workPath(work, delivery.delivery)
  const parent = kind === 'run' ? null : kind === 'episode' ? runPath : episode
  tracer.export({
    trace, id: spanIdOf(trace, path), parent: parent === null ? null : spanIdOf(trace, parent), name: `spar.${kind}`, kind: 'internal',
    startedAt: kind === 'run' ? submittedAt : startedAt, endedAt: startedAt + ms,
    attributes: { 'spar.run': run, ...kind === 'run' ? {} : { 'spar.episode': episode }, 'spar.work': work, 'spar.delivery': delivery.delivery, 'spar.outcome': outcome },
    error: delivery.code === undefined ? null : errorOf({ code: delivery.code, message: delivery.reason })
  })
}

export const traceRollouts = (tracer: Tracer, run: Run, options: TraceOptions, now: () => number): WorkWatch => ({
  rollout (about) {
    const trace = traceIdOf(run.name, run.submittedAt)
    return isTraced(trace, about.rolloutId.split('.')[0]!, options.share) ? traceRollout(tracer, trace, run, about, options, now) : unwatched
  }
})

const unwatched: RolloutWatch = { asked () {}, used () {}, ended () {} }

function traceRollout (tracer: Tracer, trace: string, run: Run, { rolloutId, role, delivery, policy, startedAt }: WatchedRollout, { content }: TraceOptions, now: () => number): RolloutWatch {
  const episode = rolloutId.split('.')[0]!
  const id = spanIdOf(trace, workPath(rolloutId, delivery))
  const ids = { 'spar.run': run.name, 'spar.episode': episode, 'spar.rollout': rolloutId, 'gen_ai.conversation.id': rolloutId }
  const tokens = { input: 0, output: 0 }
  let turns = 0
  const below = (turn: number, what: 'ask' | 'tool', span: Omit<Span, 'trace' | 'id' | 'parent'>): void => {
    tracer.export({ trace, id: spanIdOf(trace, turnPath(rolloutId, delivery, turn, what)), parent: id, ...span, attributes: { ...ids, 'spar.turn': turn, ...span.attributes } })
  }
  return {
    asked (asked) {
      turns = asked.turn
      tokens.input += asked.call?.prompt_tokens ?? 0
      tokens.output += asked.call?.completion_tokens ?? 0
      below(asked.turn, 'ask', {
        name: `chat ${policy}`, kind: asked.call === null ? 'internal' : 'client', startedAt: asked.startedAt, endedAt: asked.endedAt,
        attributes: { ...chatOf(asked, policy), ...content ? saidOf(asked) : {} }, error: errorOf(asked.error)
      })
    },
    used (used) {
      below(used.turn, 'tool', {
        name: `execute_tool ${used.call.tool}`, kind: 'internal', startedAt: used.startedAt, endedAt: used.endedAt,
        attributes: { ...toolOf(used), ...content ? gaveOf(used) : {} }, error: errorOf(used.error)
      })
    },
    ended ({ kind, code, reason }) {
      tracer.export({
        trace, id, parent: spanIdOf(trace, episode), name: `invoke_agent ${role}`, kind: 'internal', startedAt, endedAt: now(),
        attributes: {
          ...ids, 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.provider.name': provider, 'gen_ai.agent.name': role, 'gen_ai.request.model': policy, 'spar.delivery': delivery, 'spar.outcome': kind, 'spar.turns': turns,
          ...tokens.input + tokens.output === 0 ? {} : { 'gen_ai.usage.input_tokens': tokens.input, 'gen_ai.usage.output_tokens': tokens.output }
        },
        error: code === undefined ? null : errorOf({ code, message: reason })
      })
    }
  }
}

/** No name of the conventions fits a server of one's own, or a program. */
const provider = 'spar'

function chatOf ({ call, version, error }: Asked, policy: string): Span['attributes'] {
  const known = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': provider, 'gen_ai.request.model': policy, 'spar.policy.version': version, ...error === null ? {} : { 'error.type': error.code } }
  if (call === null) return known
  const { sampling: { temperature, top_p: topP, top_k: topK, seed, max_tokens: maxTokens } } = call
  return {
    ...known, 'gen_ai.response.model': call.model, 'server.address': call.endpoint,
    ...given({
      'gen_ai.request.temperature': temperature, 'gen_ai.request.top_p': topP, 'gen_ai.request.top_k': topK, 'gen_ai.request.seed': seed, 'gen_ai.request.max_tokens': maxTokens,
      'gen_ai.usage.input_tokens': call.prompt_tokens, 'gen_ai.usage.output_tokens': call.completion_tokens, 'gen_ai.usage.cache_read.input_tokens': call.cached_tokens
    }),
    ...call.finish_reason === null ? {} : { 'gen_ai.response.finish_reasons': [call.finish_reason] }
  }
}

const toolOf = ({ call, result, error }: Used): Span['attributes'] => ({
  'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': call.tool, 'gen_ai.tool.type': 'function',
  ...result === null ? {} : { ...result.exitCode === null ? {} : { 'spar.exit_code': result.exitCode }, 'spar.timed_out': result.timedOut, 'spar.truncated_bytes': result.truncatedBytes },
  ...error === null ? {} : { 'error.type': error.code }
})

/** T1. */
const saidOf = ({ reply, call }: Asked): Span['attributes'] => reply === null ? {} : {
  'gen_ai.output.messages': JSON.stringify([{ role: 'assistant', parts: [{ type: 'text', content: cut(reply.text) }], finish_reason: call?.finish_reason ?? (reply.call === null ? 'stop' : 'tool_call') }])
}

/** T1. */
const gaveOf = ({ call, result }: Used): Span['attributes'] => ({
  'gen_ai.tool.call.arguments': cut(JSON.stringify({ ...call, tool: undefined })), ...result === null ? {} : { 'gen_ai.tool.call.result': cut(result.text) }
})

const given = (attributes: Record<string, number | null>): Record<string, number> =>
  Object.fromEntries(Object.entries(attributes).filter((entry): entry is [string, number] => entry[1] !== null))
