// `spar inspect`: the page over a cluster, or over the folders of runs that ended.

import { parseArgs } from 'node:util'
import { machineViews } from '../../actors/definitions.ts'
import { SparError } from '../errors.ts'
import type { Source } from '../inspect/source.ts'
import { serveStately } from '../inspect/stately.ts'
import { parseWhole } from '../run/options.ts'
import type { Io } from './command.ts'
import { inspectAtDefault, inspectOptionTypes, inspectUsage, servePage, tokensOf } from './inspect-options.ts'
import { openSource } from './inspect-sources.ts'
import { natsOptionTypes, natsUsage, type NatsValues } from './nats-options.ts'
import { untilInterrupted } from './until-interrupted.ts'

const usage = `Usage: spar inspect [options]                a cluster
       spar inspect --run <folder> [--run <folder>]   runs by their folders, played or over
Serves the page on which a cluster, its actors and its runs are seen, until it is ended.
  --listen 127.0.0.1:8322  address of the page; 0 as the port: any
  --stately 8323           Stately's inspector can attach here, on loopback: createWebSocketReceiver({ server: 'ws://127.0.0.1:8323' });
                           whoever is on this machine may, so not together with a token
${inspectUsage}
${natsUsage}`

const optionTypes = { ...natsOptionTypes, ...inspectOptionTypes, listen: { type: 'string' }, stately: { type: 'string' }, run: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } } as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: optionTypes })
  if (values.help) {
    io.out(usage)
    return 0
  }
  if (values.stately !== undefined && tokensOf(values).token !== null) throw new SparError('OPTION_INVALID', 'Cannot use --stately together with a token (--token or SPAR_INSPECT_TOKEN): its receivers bring none, and whoever is on this machine would read everything. Leave one of them out')
  return await serve(await openSource(values as NatsValues & { run?: string[] }, 'spar inspect', (status, detail) => io.err(`the bus is ${status}: ${detail}`)), values, io)
}

async function serve (source: Source, values: Parameters<typeof servePage>[2] & { listen?: string | undefined; stately?: string | undefined }, io: Io): Promise<number> {
  try {
    const stately = values.stately === undefined ? null : await serveStately(source, machineViews(), parseWhole('stately', values.stately, 0, 65_535))
    if (stately !== null) io.err(`Stately's inspector: ws://127.0.0.1:${stately.port}`)
    const gateway = await servePage(source, values.listen ?? inspectAtDefault, values, io).catch(async (error: unknown) => { await stately?.close(); throw error })
    try {
      await untilInterrupted()
      return 0
    } finally {
      await gateway.close()
      await stately?.close()
    }
  } finally { await source.close() }
}
