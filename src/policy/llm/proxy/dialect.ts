// What a dialect is to the proxy: a request read into what an inference server is asked, and an answer written as the client
// expects it, in one piece or in events. A dialect knows nothing of HTTP, of attempts or of records.
//
// 1. What the client asks for is done or refused, never left out in silence. Tools that only the vendor's own servers have
//    are the exception, since agents send them without being asked: they are named in `leftOut`. So are settings that say
//    nothing of what is drawn, and those of how much a model thinks or how many calls it may make, which are its own affair here.
// 2. The same conversation is read into the same messages in every dialect, however its texts are cut into parts.

import type { Answer, AskedTool, ChatMessage, Sampling, ToolSchema } from '../types.ts'
import type { Told } from './faults.ts'
import type { Fields } from './read.ts'

/** A request, whatever it was said in. */
export interface Asked {
  messages: ChatMessage[]
  /** null: none, or `tool_choice: none`. */
  tools: ToolSchema[] | null
  /** null: the client does not say. */
  sampling: { [Name in keyof Sampling]: Sampling[Name] | null }
  stream: boolean
  /** Chat alone: whether the usage is a chunk of the stream. */
  wantsUsage: boolean
  /** Names of tools that no inference server has. */
  leftOut: string[]
}

/** What a reply says of itself: `id` is unique and safe in a header, `createdAt` in milliseconds since 1970. */
export interface ReplyTo { id: string; createdAt: number; model: string; asked: Asked }

/** The events of one reply, as text. Each of the first three may open the stream; the last two end it. */
export interface Stream {
  open (): string
  /** Something that keeps the connection alive and says nothing. */
  pulse (): string
  answer (answer: Answer): string
  fault (told: Told): string
}

export interface Dialect {
  read (body: Fields, limits: { messagesMax: number; toolsMax: number }): Asked
  whole (answer: Answer, to: ReplyTo): Fields
  stream (to: ReplyTo): Stream
  fault (told: Told): Fields
}

/** Tokens that are not known are 0 here: the formats have no word for it. */
export const usageOf = ({ promptTokenIds, promptTokens, completionTokenIds, completionTokens, cachedTokens }: Answer): { prompt: number; completion: number; cached: number } =>
  ({ prompt: promptTokenIds?.length ?? promptTokens ?? 0, completion: completionTokenIds?.length ?? completionTokens ?? 0, cached: cachedTokens ?? 0 })

export const event = (data: Fields, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

/** The arguments of a call where a format has them as an object. What is none goes under a name of its own, for the agent's tool to refuse. */
export const malformedKey = 'malformed_arguments'
export function argumentsObject ({ arguments: text }: AskedTool): Fields {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  } catch { /* It is given as it is. */ }
  return { [malformedKey]: text }
}
