// `spar inspect`: the page over a cluster, over the folders of runs that ended, or over the trace of a simulation.

import { parseArgs } from 'node:util'
import { machineViews } from '../../actors/definitions.ts'
import { SparError } from '../errors.ts'
import type { Listening } from '../inspect/listening.ts'
import type { Source } from '../inspect/source.ts'
import { serveStately } from '../inspect/stately.ts'
import { parseWhole } from '../run/options.ts'
import type { Io } from './command.ts'
import { inspectAtDefault, inspectOptionTypes, inspectUsage, listenForPage, servePage, tokensOf } from './inspect-options.ts'
import { openSource } from './inspect-sources.ts'
import { natsOptionTypes, natsUsage, type NatsValues } from './nats-options.ts'
import { untilInterrupted } from './until-interrupted.ts'

const usage = `Usage: spar inspect [options]                a cluster
       spar inspect --run <folder> [--run <folder>]   runs by their folders, played or over
       spar inspect --trace <file.jsonl>       what spar simulate --trace wrote, on a timeline
Serves the page on which a cluster, its actors and its runs are seen, until it is ended.
  --listen 127.0.0.1:8322  address of the page; 0 as the port: any
  --stately 8323           Stately's inspector can attach here, on loopback: createWebSocketReceiver({ server: 'ws://127.0.0.1:8323' });
                           whoever is on this machine may, so not together with a token
${inspectUsage}
${natsUsage}`

const optionTypes = { ...natsOptionTypes, ...inspectOptionTypes, listen: { type: 'string' }, stately: { type: 'string' }, run: { type: 'string', multiple: true }, trace: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: optionTypes })
  if (values.help) {
    io.out(usage)
    return 0
  }
  if (values.stately !== undefined && values.trace !== undefined) throw new SparError('OPTION_INVALID', 'Cannot use --stately together with --trace: a trace has no actors. Leave one of them out')
  if (values.stately !== undefined && tokensOf(values).token !== null) throw new SparError('OPTION_INVALID', 'Cannot use --stately together with a token (--token or SPAR_INSPECT_TOKEN): its receivers bring none, and whoever is on this machine would read everything. Leave one of them out')
  const listening = await listenForPage(values.listen ?? inspectAtDefault, '--listen', values)
  try {
    return await serve(await openSource(values as NatsValues & { run?: string[]; trace?: string }, 'spar inspect', (status, detail) => io.err(`the bus is ${status}: ${detail}`)), listening, values.stately, io)
  } finally { await listening.close() }
}

async function serve (source: Source, listening: Listening, statelyPort: string | undefined, io: Io): Promise<number> {
  const stately = statelyPort === undefined ? null : await serveStately(source, machineViews(), parseWhole('stately', statelyPort, 0, 65_535)).catch(async (error: unknown) => { await source.close(); throw error })
  try {
    if (stately !== null) io.err(`Stately's inspector: ws://127.0.0.1:${stately.port}`)
    const gateway = servePage(source, listening, io)
    await untilInterrupted()
    await gateway.close()
    return 0
  } finally {
    await stately?.close()
    await source.close()
  }
}
