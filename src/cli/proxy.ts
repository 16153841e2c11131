// `spar proxy`: stands between agents that have a loop of their own and an inference server, and writes a record for each
// attempt. It runs until it is told to end; a second signal ends it at once.

import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import type { Finished } from '../policy/llm/proxy/attempts.ts'
import { createProxy, type Proxy } from '../policy/llm/proxy/index.ts'
import { createRecordFolder } from '../policy/llm/proxy/record.ts'
import { llmDefaults, unversioned } from '../policy/llm/policy.ts'
import { createRandom } from '../random.ts'
import { parseNumber, parseShare, parseWhole } from '../run/options.ts'
import { parseServer } from '../run/policy-options.ts'
import { shownPath, type Io } from './command.ts'
import { openServer, tellDown } from './policies.ts'
import { parseVersion } from './policy-values.ts'
import { neutral, neutralJson } from './terminal.ts'

const usage = `Usage: spar proxy --server openai=<url>|vllm=<url>|sglang=<url> --model name [options]

An agent plays rollout <id>, attempt <n>, at http://<address>/proxy/rollout/<id>/attempt/<n>: behind it are /v1/chat/completions,
/v1/responses, /v1/messages and /v1/models. POST …/finish writes its record; see docs/proxy.md.

  --listen 127.0.0.1:4141  address; port 0 takes a free one
  --out out/proxy          where records are written: <id>.<n>.msgpack
  --temperature 1  --top-p 1  --max-tokens 8192   what an agent does not say
  --seed n                 of the first call of an attempt; the next has the next (default: none)
  --logprobs-mode raw_logprobs|…                  what the server says of its own
  --policy-version name    weights that it has, where its answers do not say
  --json                   one object on the last line of standard output`

const optionTypes = {
  server: { type: 'string' }, model: { type: 'string' }, listen: { type: 'string' }, out: { type: 'string' }, temperature: { type: 'string' }, 'top-p': { type: 'string' },
  'max-tokens': { type: 'string' }, seed: { type: 'string' }, 'logprobs-mode': { type: 'string' }, 'policy-version': { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
} as const

/** Time that calls under way have to finish after an interrupt. */
const drainMs = 10_000

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: optionTypes })
  if (values.help) {
    io.out(usage)
    return 0
  }
  if (values.server === undefined || values.model === undefined) throw new SparError('OPTION_MISSING', 'Cannot start the proxy without --server and --model: spar proxy --server openai=<url> --model name')
  const { host, port } = parseListen(values.listen ?? '127.0.0.1:4141')
  const { sampling } = llmDefaults
  const settings = {
    sampling: {
      temperature: values.temperature === undefined ? sampling.temperature : parseNumber('temperature', values.temperature, 0, 10),
      topP: values['top-p'] === undefined ? sampling.topP : parseShare('top-p', values['top-p']),
      topK: sampling.topK,
      maxTokens: values['max-tokens'] === undefined ? sampling.maxTokens : parseWhole('max-tokens', values['max-tokens'], 1)
    },
    seed: values.seed === undefined ? null : parseWhole('seed', values.seed, 0, 2 ** 31 - 1),
    version: values['policy-version'] === undefined ? unversioned.current() : parseVersion(values['policy-version'])
  }
  const server = openServer(parseServer('server', values.server), values.model, values['logprobs-mode'] ?? null, { clock: systemClock, random: createRandom(settings.seed ?? 1).fork('servers') })
  const out = resolve(values.out ?? 'out/proxy')
  const summary = { attempts: 0, calls: 0, failed: 0, untrainable: 0 }
  const count = (finished: Finished): void => {
    summary.attempts++
    summary.calls += finished.calls
    summary.failed += finished.failed
    if (finished.untrainable !== null) summary.untrainable++
  }
  const proxy = createProxy({ server, settings, records: createRecordFolder(out), run: basename(out), clock: systemClock, onLine: line => io.err(neutral(line)), onFinished: count })
  try {
    // Asked before anything is played, so that a wrong address, key or name of a model is told at once.
    tellDown(await server.check(), line => io.err(neutral(line)))
    const at = await proxy.listen(host, port)
    if (!isLoopback(at.host)) io.err(`Whoever reaches ${at.host} can use the model: the proxy asks nobody for a key`)
    io.err(`Listening on http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}/proxy/rollout/<id>/attempt/<n>; records go to ${shownPath(out)}`)
    await interrupted(proxy, io)
    if (values.json) io.out(neutralJson({ out, ...summary }))
    else io.out(`${summary.attempts} attempts, ${summary.calls} calls, ${summary.failed} of them failed; ${summary.untrainable} attempts cannot be trained on`)
    return 0
  } finally {
    await Promise.allSettled([proxy.close(), server.close()])
  }
}

/** Until a signal comes and the proxy has ended. Rejects with the record that could not be written. */
async function interrupted (proxy: Proxy, io: Io): Promise<void> {
  let ended: Promise<void> | null = null
  let tell: (ending: Promise<void>) => void = () => {}
  const done = new Promise<void>(resolve => { tell = resolve })
  const interrupt = (): void => {
    if (ended !== null) return void proxy.close()
    io.err(`Ending: calls under way have ${drainMs / 1000} s`)
    tell(ended = proxy.drain(drainMs))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    await done
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/** `host:port`, `[::1]:port`, `:port` or `port`. Throws OPTION_INVALID. */
function parseListen (value: string): { host: string; port: number } {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]*)):)?(\d{1,5})$/.exec(value)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new SparError('OPTION_INVALID', `Cannot use --listen "${value}": it takes <host>:<port>, such as 127.0.0.1:4141`, { data: { option: 'listen', value } })
  return { host: match[1] || match[2] || '127.0.0.1', port }
}

const isLoopback = (host: string): boolean => host === '::1' || host.startsWith('127.') || host.startsWith('::ffff:127.')
