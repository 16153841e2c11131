// `spar top`: the cluster in a terminal, drawn anew as it changes. Where nobody looks, one table.

import { parseArgs } from 'node:util'
import { systemClock } from '../clock.ts'
import { topics, type ActorRow, type ActorsChange, type ActorsView, type ClusterView, type SilentNode } from '../inspect/protocol.ts'
import { readValue, type Source } from '../inspect/source.ts'
import { topLines } from '../inspect/top-view.ts'
import type { Io } from './command.ts'
import { openSource } from './inspect-sources.ts'
import { natsOptionTypes, natsUsage, type NatsValues } from './nats-options.ts'
import { neutral, neutralJson } from './terminal.ts'
import { untilInterrupted } from './until-interrupted.ts'

const usage = `Usage: spar top [options]
The cluster live: nodes, slots, queues, runs, faults, and what has been at it longest. q or ctrl-c ends it.
  --run <folder>           a run by its folder, instead of a cluster
  --once                   one table, as where the output is no terminal
  --json                   one object: the value of the topic "cluster", rows and silent nodes of "actors" (docs/inspect.md)
${natsUsage}`

const optionTypes = { ...natsOptionTypes, run: { type: 'string', multiple: true }, once: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

/** Between two drawings. */
const drawMs = 500
const answerMsMax = 15_000
/** How long actors may take to come before one table is printed. */
const actorsMs = 1_500

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: optionTypes })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const source = await openSource(values as NatsValues & { run?: string[] }, 'spar top')
  try {
    if (values.json === true || values.once === true || !process.stdout.isTTY) await printOnce(source, values.json === true, io)
    else await drawLive(source, process.stdout, process.stdin)
    return 0
  } finally {
    await source.close()
  }
}

interface Seen { cluster: ClusterView | null; actors: Map<string, ActorRow>; /** Nodes that do not tell theirs. */ silent: SilentNode[] }

/** Follows both topics until the signal aborts. */
function follow (source: Source, signal: AbortSignal): { seen: Seen; ended: Promise<unknown> } {
  const seen: Seen = { cluster: null, actors: new Map(), silent: [] }
  const cluster = async (): Promise<void> => { for await (const update of source.open(topics.cluster, signal)) if ('full' in update) seen.cluster = update.full as ClusterView }
  const actors = async (): Promise<void> => {
    for await (const update of source.open(topics.actors, signal)) {
      seen.silent = ('full' in update ? update.full as ActorsView : update.change as ActorsChange).silent ?? []
      if ('full' in update) seen.actors = new Map((update.full as ActorsView).rows.map(row => [row.key, row]))
      else {
        for (const row of (update.change as ActorsChange).rows) seen.actors.set(row.key, row)
        for (const key of (update.change as ActorsChange).gone) seen.actors.delete(key)
      }
    }
  }
  return { seen, ended: Promise.all([cluster(), actors()]) }
}

async function printOnce (source: Source, json: boolean, io: Io): Promise<void> {
  const over = new AbortController()
  const { seen, ended } = follow(source, over.signal)
  ended.catch(() => {})
  try {
    if (source.kind !== 'folder') await systemClock.sleep(actorsMs)
    const cluster = await readValue(source, topics.cluster, answerMsMax) as ClusterView
    const actors = [...seen.actors.values()]
    if (json) io.out(neutralJson({ cluster, actors, silent: seen.silent }))
    else io.out(topLines(cluster, actors, seen.silent, { columns: 200, rows: 1_000, neutral }).join('\n'))
  } finally { over.abort() }
}

async function drawLive (source: Source, stream: NodeJS.WriteStream, keys: NodeJS.ReadStream): Promise<void> {
  const over = new AbortController()
  const { seen, ended } = follow(source, over.signal)
  // The other screen of the terminal, without a cursor: what was there comes back.
  stream.write('\x1b[?1049h\x1b[?25l')
  const draw = (): void => {
    const lines = seen.cluster === null ? ['…'] : topLines(seen.cluster, [...seen.actors.values()], seen.silent, { columns: (stream.columns ?? 80) - 1, rows: (stream.rows ?? 24) - 1, neutral })
    stream.write(`\x1b[H${lines.map(line => `${line}\x1b[K`).join('\n')}\x1b[J`)
  }
  const timer = setInterval(draw, drawMs)
  stream.on('resize', draw)
  try {
    await Promise.race([untilInterrupted(), untilQuit(keys), ended.then(() => new Promise(() => {}))])
  } finally {
    clearInterval(timer)
    stream.off('resize', draw)
    over.abort()
    if (keys.isTTY) keys.setRawMode(false)
    keys.pause()
    stream.write('\x1b[?25h\x1b[?1049l')
  }
}

/** Keys come as they are pressed and are not shown: q, or ctrl-c, which is no signal then. */
async function untilQuit (keys: NodeJS.ReadStream): Promise<void> {
  if (!keys.isTTY) return await new Promise(() => {})
  keys.setRawMode(true)
  await new Promise<void>(resolve => { keys.on('data', (bytes: Buffer) => { if (/[q\x03]/.test(bytes.toString('latin1'))) resolve() }) })
}
