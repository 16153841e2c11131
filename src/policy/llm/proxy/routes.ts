// What a path means: whose call it is, and what is asked. Ids become names of files, so they are what a file name may be and
// are never decoded.

import { chat } from './chat.ts'
import type { Dialect } from './dialect.ts'
import { fault } from './faults.ts'
import { messages } from './messages.ts'
import { responses } from './responses.ts'

export type Route =
  | { kind: 'health' }
  | { kind: 'models' | 'finish'; rollout: string; attempt: number }
  | { kind: 'call'; rollout: string; attempt: number; name: string; dialect: Dialect }

const dialects: Record<string, { name: string; dialect: Dialect }> = {
  'v1/chat/completions': { name: 'chat', dialect: chat },
  'v1/responses': { name: 'responses', dialect: responses },
  'v1/messages': { name: 'messages', dialect: messages }
}

/** Letters, digits, dot, hyphen and underscore, up to 128, the first a letter or a digit. */
const idForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const attemptForm = /^[1-9]\d{0,5}$/

export const methodOf = { health: 'GET', models: 'GET', finish: 'POST', call: 'POST' } as const satisfies Record<Route['kind'], string>

/** Throws PROXY_NOT_FOUND: what is wrong with the path. */
export function routeOf (url: string): Route {
  const path = url.split('?', 1)[0]!
  if (path === '/health') return { kind: 'health' }
  const match = /^\/proxy\/rollout\/([^/]*)\/attempt\/([^/]*)\/(.*)$/.exec(path)
  if (match === null) throw notFound('a path is /proxy/rollout/<id>/attempt/<n>/v1/…')
  const [, rollout, number, rest] = match as unknown as [string, string, string, string]
  if (!idForm.test(rollout)) throw notFound('the id of a rollout is up to 128 letters, digits, dots, hyphens and underscores, the first a letter or a digit')
  if (!attemptForm.test(number)) throw notFound('the number of an attempt is a whole number from 1 to 999999')
  const attempt = Number(number)
  if (rest === 'finish') return { kind: 'finish', rollout, attempt }
  if (rest === 'v1/models') return { kind: 'models', rollout, attempt }
  if (Object.hasOwn(dialects, rest)) return { kind: 'call', rollout, attempt, ...dialects[rest]! }
  throw notFound(`behind the attempt it takes ${Object.keys(dialects).join(', ')}, v1/models and finish`)
}

/** The dialect that a fault is told in, where the path names none. */
export const dialectOf = (url: string, headers: Record<string, unknown>): Dialect =>
  dialects[/\/(v1\/[a-z/]+)/.exec(url)?.[1] ?? '']?.dialect ?? (headers['anthropic-version'] === undefined ? chat : messages)

const notFound = (why: string): Error => fault('PROXY_NOT_FOUND', `Cannot find that: ${why}`)
