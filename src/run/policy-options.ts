// The options that say who plays: kept with those of the run, so that a run goes on with the policies that began it.

import { SparError } from '../errors.ts'

export interface PolicyOptions {
  /** `procedural`, a protocol and its endpoints (`openai=http://host:8000,http://other:8000`), or `replay=<folder of a run>`. */
  breaker: string
  solver: string
  /** As the server calls it; null where no model plays. */
  model: string | null
  /** Weights that the server has, for the record, where it does not say them itself; null: not known. */
  policyVersion: string | null
  /** What the server was started with, for the record: `raw_logprobs`, `processed_logprobs`; null: not known. */
  logprobsMode: string | null
  temperature: number
  topP: number
  /** Tokens of one reply, at most. */
  completionTokensMax: number
  /** auto: native calls where the server has them. */
  tools: 'auto' | 'native' | 'text'
  formatErrors: 'answer' | 'end'
  /** Folder with prompts that take the place of ours. */
  prompts: string | null
}

export const policyDefaults: PolicyOptions = {
  breaker: 'procedural', solver: 'procedural', model: null, policyVersion: null, logprobsMode: null, temperature: 1, topP: 1, completionTokensMax: 8192, tools: 'auto', formatErrors: 'answer', prompts: null
}

const protocols = ['openai', 'vllm', 'sglang'] as const
export type Protocol = typeof protocols[number]
export interface ServerSpec { kind: Protocol; urls: string[] }
export type PolicySpec = { kind: 'procedural' } | { kind: 'replay'; folder: string } | ServerSpec

/** Throws OPTION_INVALID: the value, and what it may be. */
export function parsePolicy (option: string, value: string): PolicySpec {
  if (value === 'procedural') return { kind: 'procedural' }
  if (value.startsWith('replay=')) return { kind: 'replay', folder: value.slice('replay='.length) }
  return parseServer(option, value, 'procedural, replay=<run>, or ')
}

/** The same where only a server will do. `others`: what else the option takes, for the message. */
export function parseServer (option: string, value: string, others = ''): ServerSpec {
  const split = value.indexOf('=')
  const kind = protocols.find(protocol => protocol === value.slice(0, Math.max(0, split)))
  const urls = value.slice(split + 1).split(',').map(url => url.trim())
  if (kind === undefined || urls.some(url => !isHttp(url))) {
    throw new SparError('OPTION_INVALID', `Cannot use --${option} "${withoutSecrets(value)}": it takes ${others}${protocols.map(protocol => `${protocol}=<url>`).join(', ')}, with several URLs joined by commas`)
  }
  if (urls.some(url => new URL(url).username !== '' || new URL(url).password !== '')) {
    throw new SparError('OPTION_INVALID', `Cannot use --${option}: its URL holds a key, which would be kept with the run. Put the key into the environment variable SPAR_API_KEY`)
  }
  return { kind, urls }
}

function isHttp (url: string): boolean {
  try {
    return /^https?:$/.test(new URL(url).protocol)
  } catch { return false }
}

const withoutSecrets = (value: string): string => value.replace(/\/\/[^/@]*@/g, '//…@')
