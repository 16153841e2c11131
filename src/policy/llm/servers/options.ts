// Options of a server, resolved once. The key comes from the environment and from nowhere else, so that it stands in no command
// line, no options file and no record of a run.

import { SparError } from '../../../errors.ts'
import type { ServerOptions } from './index.ts'

export type ProtocolName = 'openai' | 'vllm-completions' | 'sglang'
const protocols: readonly ProtocolName[] = ['openai', 'vllm-completions', 'sglang']

export interface ResolvedOptions {
  protocol: ProtocolName
  urls: URL[]
  model: string
  flavour: 'vllm' | 'generic' | 'auto'
  stream: boolean
  key: string | null
  logprobsMode: string | null
}

const urlsMax = 256

export function resolveOptions (options: ServerOptions, env: Readonly<Record<string, string | undefined>>): ResolvedOptions {
  const { protocol, urls, model, flavour = 'auto', stream = false, apiKeyVariable = 'SPAR_API_KEY', logprobsMode = null } = options
  if (!protocols.includes(protocol)) throw refused(`protocol "${protocol}" is none of ${protocols.join(', ')}`)
  if (model === '') throw refused('it takes the name of a model')
  if (urls.length < 1 || urls.length > urlsMax) throw refused(`it takes 1 to ${urlsMax} addresses, not ${urls.length}`)
  if (stream && protocol !== 'openai') throw refused(`protocol "${protocol}" does not stream`)
  const parsed = urls.map(parseUrl)
  if (new Set(parsed.map(url => url.href)).size < parsed.length) throw refused('an address is given twice')
  return { protocol, urls: parsed, model, flavour, stream, key: keyOf(env, apiKeyVariable), logprobsMode }
}

function parseUrl (text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  // The address is not repeated where it may hold a password.
  if (url !== null && (url.username !== '' || url.password !== '')) throw refused('an address holds credentials. Put the key into the environment')
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw refused(`"${text}" is no address that starts with http:// or https://`)
  if (url.search !== '' || url.hash !== '') throw refused(`"${url.origin}${url.pathname}" has a query or a fragment behind it`)
  url.pathname = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  return url
}

function keyOf (env: Readonly<Record<string, string | undefined>>, variable: string): string | null {
  const key = env[variable]?.trim() ?? ''
  if (/[^\x21-\x7e]/.test(key)) throw refused(`the key in ${variable} holds what no header can carry`)
  return key === '' ? null : key
}

const refused = (why: string): SparError => new SparError('OPTION_SERVER', `Cannot use the inference server: ${why}`)
