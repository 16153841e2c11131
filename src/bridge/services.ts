// Services, as client and server know them: one definition gives the types of both. Messages are what `value.ts` lets travel.

import { SparError } from '../errors.ts'
import type { CallKind, Metadata } from './frame.ts'

/** `types` is there for the compiler alone. */
export interface Method<Kind extends CallKind, Request, Response> { readonly kind: Kind; readonly types?: [Request, Response] }
type AnyMethod = Method<CallKind, unknown, unknown>

export const unary = <Request, Response>(): Method<'unary', Request, Response> => ({ kind: 'unary' })
export const serverStream = <Request, Response>(): Method<'serverStream', Request, Response> => ({ kind: 'serverStream' })
export const clientStream = <Request, Response>(): Method<'clientStream', Request, Response> => ({ kind: 'clientStream' })
export const bidirectional = <Request, Response>(): Method<'bidirectional', Request, Response> => ({ kind: 'bidirectional' })

export type Methods = Record<string, AnyMethod>

export interface Service<Of extends Methods = Methods> {
  readonly name: string
  /** Of instances that are called one by one: whose this is. null: instances share the calls. */
  readonly instance: string | null
  /** Shown by `nats micro`, as semantic versioning has it. */
  readonly version: string
  readonly description: string
  readonly methods: Of
}

/** Throws BRIDGE_BAD_SERVICE for names that no subject holds. */
export function defineService<Of extends Methods> ({ name, instance = null, version = '1.0.0', description = '', methods }: { name: string; instance?: string | null; version?: string; description?: string; methods: Of }): Service<Of> {
  for (const token of [name, ...instance === null ? [] : [instance], ...Object.keys(methods)]) {
    if (!/^[A-Za-z0-9_-]+$/.test(token)) throw new SparError('BRIDGE_BAD_SERVICE', `Cannot name a service or method "${token}": it takes letters, digits, "-" and "_"`)
  }
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new SparError('BRIDGE_BAD_SERVICE', `Cannot define ${name} with the version "${version}": it takes three numbers joined by dots`)
  return { name, instance, version, description, methods }
}

export interface CallOptions {
  /** The call ends with DEADLINE_EXCEEDED after so long; without it there is no deadline. */
  deadlineMs?: number
  /** The call ends with CANCELLED. */
  signal?: AbortSignal
  metadata?: Metadata
  /** Told what the server said before its first message, where it said anything. */
  onMetadata? (metadata: Metadata): void
  /** Told what the server said at the end, also of a call that failed. */
  onTrailers? (trailers: Metadata): void
}

export type Messages<Value> = AsyncIterable<Value> | Iterable<Value>

interface Calls<Request, Response> {
  unary: (request: Request, options?: CallOptions) => Promise<Response>
  serverStream: (request: Request, options?: CallOptions) => AsyncIterableIterator<Response>
  clientStream: (requests: Messages<Request>, options?: CallOptions) => Promise<Response>
  bidirectional: (requests: Messages<Request>, options?: CallOptions) => AsyncIterableIterator<Response>
}

/** What calls a service. A call begins when it is made, not when its answers are read. Rejections are BridgeStatus. */
export type ClientOf<Of extends Methods> = {
  readonly [Name in keyof Of]: Of[Name] extends Method<infer Kind, infer Request, infer Response> ? Calls<Request, Response>[Kind] : never
}

/** What a handler knows of its call. */
export interface CallContext {
  readonly metadata: Metadata
  /** Until the deadline; Infinity where there is none. */
  readonly timeLeftMs: number
  /** Aborts when nobody waits for the call any more: cancelled, too late, or the client is gone. */
  readonly signal: AbortSignal
  /** Sent before any message, as it stands at the handler's first await where something streams, else at its end. */
  responseMetadata: Metadata
  /** Sent with an end that is OK; what a handler throws brings its own. */
  trailers: Metadata
}

interface Serving<Request, Response> {
  unary: (request: Request, call: CallContext) => Promise<Response> | Response
  serverStream: (request: Request, call: CallContext) => Messages<Response>
  clientStream: (requests: AsyncIterableIterator<Request>, call: CallContext) => Promise<Response>
  bidirectional: (requests: AsyncIterableIterator<Request>, call: CallContext) => Messages<Response>
}

/** What serves a service: a handler for each method. */
export type HandlersOf<Of extends Methods> = {
  readonly [Name in keyof Of]: Of[Name] extends Method<infer Kind, infer Request, infer Response> ? Serving<Request, Response>[Kind] : never
}

/** A handler of any kind, without its types. */
export type Handler = (given: unknown, call: CallContext) => unknown
