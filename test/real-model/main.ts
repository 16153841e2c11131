// npm run real-model [-- --only solver --keep dir]: `spar play` from end to end with a real model, small enough for a
// processor. A model of 135 million weights hardly calls a tool, much less repairs a bug: what is looked at is that all that it
// does instead is handled, typed and written down. Not part of the tests: it downloads about 110 MB once, and plays for minutes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { sparHome } from '../../src/cli/command.ts'
import { renderTable } from '../../src/cli/table.ts'
import { makeScriptedRepository } from '../helpers/scripted-model.ts'
import { spar } from '../helpers/spar.ts'
import { checkRun, type Played } from './check.ts'
import { installModel } from './install.ts'
import { loadModel } from './model.ts'
import { serveModel } from './server.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, keep: { type: 'string' } } })
const model = 'smollm2-135m'
const completionTokensMax = 128
const common = ['--episodes', '1', '--group', '2', '--max-order', '1', '--min-files', '1', '--min-passing', '5', '--jobs', '1', '--sandbox', 'process',
  '--model', model, '--max-tokens', String(completionTokensMax), '--json']

/** Budgets are those of both roles, and the procedural breaker needs room; the model is bounded by its own context. */
const mixed = (url: string): string[] => ['--solver', `openai=${url}`, '--max-turns', '40', '--max-context', '65536']

interface Case { name: string; /** The server's. */ contextTokens: number; options: (url: string) => string[] }

const cases: Case[] = [
  { name: 'solver', contextTokens: 4096, options: url => [...mixed(url), '--tools', 'text', '--temperature', '0.7'] },
  { name: 'both', contextTokens: 4096, options: url => ['--policy', `openai=${url}`, '--max-turns', '6', '--max-context', '4096', '--tools', 'text'] },
  // Tools are offered that this server makes nothing of, and the first reply without a call ends the rollout.
  { name: 'native', contextTokens: 4096, options: url => [...mixed(url), '--tools', 'native', '--format-errors', 'end'] },
  { name: 'small context', contextTokens: 1000, options: url => [...mixed(url), '--tools', 'text'] }
]

const say = (line: string): void => { console.log(line) }

async function play ({ name, contextTokens, options }: Case, installed: ReturnType<typeof installModel>, folder: string): Promise<void> {
  const local = await loadModel(installed, contextTokens)
  const server = await serveModel(local, model)
  const out = join(folder, name.replaceAll(' ', '-'))
  const given = [...common, ...options(server.url)]
  say(`\n${name}: spar play numbers ${given.join(' ')}`)
  const startedAt = Date.now()
  try {
    const ran = await spar(['play', join(folder, 'numbers'), ...given, '--out', out], { home: join(folder, 'home'), cwd: folder })
    say(tableOf(checkRun(out, ran, model, completionTokensMax)))
    const { dispatched, settled, cancelled, quarantined } = ran.json.ledger as Record<string, number>
    say(`${dispatched} dispatched = ${settled} settled + ${cancelled} cancelled + ${quarantined} quarantined; ${Math.round((Date.now() - startedAt) / 1000)} s`)
  } finally {
    await server.close()
    await local.close()
  }
}

const tableOf = (played: Played[]): string => renderTable(['rollout', 'replies', 'tokens', 'cut off', 'tool calls', 'ending', 'reward', 'reason'],
  played.map(({ sample, record: { calls, tool_calls: tools } }) => {
    const answered = calls.filter(call => call.error === null)
    const tokens = answered.reduce((sum, call) => sum + (call.completion_tokens ?? 0), 0)
    const cutOff = answered.filter(call => call.finish_reason === 'length').length
    return [sample.rollout_id, String(answered.length), String(tokens), String(cutOff), String(tools.length), sample.outcome, String(sample.reward), sample.reason.slice(0, 100)]
  }))

const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'spar-real-model-')) : resolve(values.keep)
try {
  const installed = installModel(join(sparHome(), 'real-model'), process.env['SPAR_REAL_MODEL'], say)
  makeScriptedRepository(join(folder, 'numbers'))
  for (const one of cases) if (values.only === undefined || values.only === one.name) await play(one, installed, folder)
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true })
}
