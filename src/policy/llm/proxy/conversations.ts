// The conversations of one attempt, told apart by what their messages say: an agent may hold several at a time, and none of its
// requests says which it belongs to. Each keeps its tokens as segments, as a rollout of ours does.
//
// 1. A request goes on from the answer at which the longest part of it was said before, and from the tokens that stood there.
// 2. Where nothing was said since that answer, it is the same conversation, and its tokens go on. Where the conversation has
//    moved on (a retry, a fork, a summary in place of the beginning), another one begins, in segments of its own: what was
//    drawn before is given there, so no token is drawn twice.
// 3. What the model said stays as it was drawn. A client that sends it back with other white space around it, or with the JSON
//    of a call spelled in another way, has not changed it.

import { isDeepStrictEqual } from 'node:util'
import type { Segment } from '../../../workers/codec/tokens.ts'
import { createSegments, type BreakReason, type Segments } from '../segments.ts'
import type { Answer, AskedTool, ChatMessage } from '../types.ts'
import { argumentsObject } from './dialect.ts'

/** An answer that can be gone on from: its messages, it included, and where its tokens stand. */
interface Mark { call: number; messages: number; place: { segment: number; tokens: number } | null }

interface Conversation {
  messages: readonly ChatMessage[]
  marks: Mark[]
  segments: Segments
  /** Why it is none of those before it. */
  cause: BreakReason | 'conversation'
}

/** Where a request goes on from. */
export interface Base {
  /** The conversation as it was said, with what is new. */
  messages: readonly ChatMessage[]
  /** Messages that were said before; 0: a new conversation. */
  messagesSoFar: number
  tokensSoFar: Int32Array | null
  /** The call whose answer it goes on from, or null, and what was said to that answer. */
  call: number | null
  readonly from: { conversation: Conversation; mark: Mark } | null
}

export interface Conversations {
  find (messages: readonly ChatMessage[]): Base
  /** Keeps an answer. The place of its tokens is in `read`, by the number of the call; null where they are not known. */
  settle (base: Base, call: { number: number; callId: string; version: string }, answer: Answer): void
  /** How many there were. */
  readonly count: number
  /** Every conversation's segments, one conversation after another, and the index of the segment of each call. */
  read (): { segments: Segment[]; places: Map<number, number> }
}

export function createConversations (conversationsMax: number): Conversations {
  const all: Conversation[] = []
  /** Those that can be gone on from, the one that was quiet for longest first. */
  const open: Conversation[] = []
  const places = new Map<number, { conversation: Conversation; segment: number }>()

  /** The conversation that an answer belongs to: the one it was asked in, one whose tokens its prompt goes on from, or a new one. */
  const homeOf = ({ from, messages }: Base, prompt: Int32Array | null): Conversation => {
    if (from !== null && from.conversation.marks.at(-1) === from.mark) return from.conversation
    const same = prompt === null ? undefined : open.find(({ segments }) => segments.last !== null && segments.breaks(prompt) === null)
    if (same !== undefined) return same
    const conversation: Conversation = { messages: [], marks: [], segments: createSegments(), cause: causeOf(open, messages, prompt) }
    all.push(conversation)
    return conversation
  }

  return {
    get count () { return all.length },
    find (messages) {
      const best = open.map(conversation => goesOn(conversation, messages)).reduce((best, other) => longest(best, other), null)
      if (best === null) return { messages, messagesSoFar: 0, tokensSoFar: null, call: null, from: null }
      const { conversation, mark, common } = best
      return {
        messages: [...conversation.messages.slice(0, common), ...messages.slice(common)],
        messagesSoFar: mark.place === null ? 0 : mark.messages,
        tokensSoFar: mark.place === null ? null : conversation.segments.prefix(mark.place.segment, mark.place.tokens).slice(),
        call: mark.call,
        from: { conversation, mark }
      }
    },
    settle (base, { number, callId, version }, answer) {
      const { promptTokenIds: prompt, completionTokenIds: completion, completionLogprobs: logprobs } = answer
      const conversation = homeOf(base, prompt)
      const isKnown = prompt !== null && completion !== null
      const segment = isKnown ? conversation.segments.add({ callId, prompt, completion, logprobs, version }) : null
      if (segment !== null) places.set(number, { conversation, segment })
      conversation.messages = [...base.messages, { role: 'assistant', content: answer.text, toolCalls: answer.toolCalls }]
      conversation.marks.push({ call: number, messages: conversation.messages.length, place: segment === null ? null : { segment, tokens: prompt!.length + completion!.length } })
      const at = open.indexOf(conversation)
      if (at !== -1) open.splice(at, 1)
      open.push(conversation)
      for (const forgotten of open.splice(0, Math.max(0, open.length - conversationsMax))) Object.assign(forgotten, { messages: [], marks: [] })
    },
    read () {
      const parts = all.map(({ segments }) => segments.read())
      const firsts = new Map<Conversation, number>()
      let first = 0
      all.forEach((conversation, index) => {
        firsts.set(conversation, first)
        first += parts[index]!.length
      })
      const known = parts.flatMap((segments, index) => segments.length === 0 ? [] : [{ segments, cause: all[index]!.cause }])
      return {
        segments: known.flatMap(({ segments }, index) => [...segments.slice(0, -1), { ...segments.at(-1)!, break_reason: known[index + 1]?.cause ?? null }]),
        places: new Map([...places].map(([number, { conversation, segment }]) => [number, firsts.get(conversation)! + segment]))
      }
    }
  }
}

interface Found { conversation: Conversation; mark: Mark; /** Messages that both begin with. */ common: number }

/** The last answer that a request holds, or null. */
function goesOn (conversation: Conversation, messages: readonly ChatMessage[]): Found | null {
  const common = commonOf(conversation, messages)
  const mark = conversation.marks.findLast(mark => mark.messages <= common && mark.messages < messages.length)
  return mark === undefined ? null : { conversation, mark, common }
}

const longest = (one: Found | null, other: Found | null): Found | null =>
  other === null ? one : one === null || rank(other) >= rank(one) ? other : one
/** Of two that are as long, the one that has not moved on; then the later one. */
const rank = ({ conversation, mark }: Found): number => 2 * mark.messages + (conversation.marks.at(-1) === mark ? 1 : 0)

function commonOf ({ messages: kept }: Conversation, given: readonly ChatMessage[]): number {
  const most = Math.min(kept.length, given.length)
  let common = 0
  while (common < most && isSame(kept[common]!, given[common]!)) common++
  return common
}

/** A conversation that shares no more than the system with any other is one of its own; else it is a changed one. */
function causeOf (open: readonly Conversation[], messages: readonly ChatMessage[], prompt: Int32Array | null): Conversation['cause'] {
  const system = messages.findIndex(message => message.role !== 'system')
  const nearest = open.map(conversation => ({ conversation, common: commonOf(conversation, messages) })).reduce<{ conversation: Conversation; common: number } | null>((best, other) => best === null || other.common >= best.common ? other : best, null)
  if (nearest === null || system === -1 || nearest.common <= system || prompt === null) return 'conversation'
  return nearest.conversation.segments.breaks(prompt) ?? 'conversation'
}

function isSame (kept: ChatMessage, given: ChatMessage): boolean {
  if (kept.role === 'assistant') {
    return given.role === 'assistant' && kept.content.trim() === given.content.trim() && kept.toolCalls.length === given.toolCalls.length &&
      kept.toolCalls.every((call, index) => isSameCall(call, given.toolCalls[index]!))
  }
  return kept.role === given.role && kept.content === given.content && (kept.role !== 'tool' || kept.toolCallId === (given as typeof kept).toolCallId)
}

const isSameCall = (kept: AskedTool, given: AskedTool): boolean =>
  kept.id === given.id && kept.name === given.name &&
  (kept.arguments === given.arguments || isDeepStrictEqual(argumentsObject(kept), argumentsObject(given)) || isSameJson(kept.arguments, given.arguments))

function isSameJson (one: string, other: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(one), JSON.parse(other))
  } catch { return false }
}
