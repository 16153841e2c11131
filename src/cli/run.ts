// `spar run`: runs of the cluster, from any machine that reaches the bus.

import { parseArgs } from 'node:util'
import { keptNow } from '../bus/now.ts'
import type { Bus } from '../bus/types.ts'
import { changeDocument, getDocument, isFinal, readDocument, type RunDocument, type RunState } from '../cluster/document.ts'
import { fetchRun } from '../cluster/fetch.ts'
import { outcomesOf } from '../cluster/outcomes.ts'
import { listNodes } from '../cluster/presence.ts'
import { listQuarantine, resubmit } from '../cluster/quarantine.ts'
import { createRetry } from '../cluster/retry.ts'
import { submitRun } from '../cluster/submit.ts'
import { systemClock } from '../clock.ts'
import { SparError, toPlain } from '../errors.ts'
import { untilStopped } from '../run/options.ts'
import { exitNo, shownPath, type Io } from './command.ts'
import { natsOptionTypes, natsUsage, openBus, type NatsValues } from './nats-options.ts'
import { parseWord } from './parse.ts'
import { printRunDocument, readRunDocument } from './run-document.ts'
import { showSamples } from './run-samples.ts'
import { waitText, watchRun } from './run-watch.ts'
import { renderTable } from './table.ts'
import { version } from './version.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar run submit <document.toml|.json|-> [--watch]    check it, print it with every default, put it on the bus
       spar run list                                        runs and nodes
       spar run watch <run>                                 live progress, until it ends
       spar run pause|resume|cancel <run>
       spar run samples <run>                               who reads its samples, and how much lies before them
       spar run quarantine <run> [--resubmit [<work>|all]]  work that failed again and again, with its evidence
       spar run fetch <run> --out dir                       the run as a folder, for spar show and spar export

${natsUsage}
  --json                   one object on the last line of standard output
Exit codes: 0 done, 1 the run failed or was cancelled, 2 could not be done, 64 wrong usage`

const optionTypes = {
  ...natsOptionTypes, out: { type: 'string' }, resubmit: { type: 'string' }, watch: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
} as const

const words = ['submit', 'list', 'watch', 'pause', 'resume', 'cancel', 'samples', 'quarantine', 'fetch'] as const

interface Asked { bus: Bus; name: string; io: Io; json: boolean; values: { out?: string | undefined; resubmit?: string | undefined; watch?: boolean | undefined } }

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: optionTypes, allowPositionals: true })
  if (values.help || positionals.length === 0) {
    io.out(usage)
    return values.help ? 0 : 64
  }
  const word = parseWord('run', positionals[0]!, words)
  if (word !== 'list' && positionals.length !== 2) throw new SparError('OPTION_MISSING', `spar run ${word} takes ${word === 'submit' ? 'a document' : 'the name of a run'}. ${usage.split('\n')[0]!}`)
  const name = positionals[1] ?? ''
  // A document that is not right is told before anything is asked of a server.
  const document = word === 'submit' ? readRunDocument(name, systemClock.now()) : null
  const bus = await openBus(values as NatsValues, `spar run ${word}`)
  try {
    const asked = { bus, name, io, json: values.json === true, values }
    return document === null ? await commands[word as Exclude<typeof word, 'submit'>](asked) : await submit(asked, document)
  } finally {
    await bus.close()
  }
}

const commands: Record<Exclude<typeof words[number], 'submit'>, (asked: Asked) => Promise<number>> = {
  list, quarantine, fetch,
  samples: ({ bus, name, io, json }) => showSamples(bus, name, io, json),
  watch: ({ bus, name, io, json }) => watchRun(bus, name, io, json),
  pause: asked => steer(asked, 'paused', ['running']),
  resume: asked => steer(asked, 'running', ['paused']),
  cancel: asked => steer(asked, 'cancelled', ['running', 'paused'])
}

async function submit ({ bus, io, json, values }: Asked, document: RunDocument): Promise<number> {
  await submitRun(bus, createRetry(systemClock), document)
  io.err(printRunDocument(document).trimEnd())
  if (values.watch === true) return await watchRun(bus, document.name, io, json)
  if (json) io.out(neutralJson({ run: document.name, state: document.state, document: { ...document } }))
  else io.out(`Submitted ${document.name}. Follow it with: spar run watch ${document.name}`)
  return 0
}

async function list ({ bus, io, json }: Asked): Promise<number> {
  const nodes = await listNodes(bus)
  const waits = nodes.flatMap(({ waits }) => waits)
  const runs = await Promise.all((await documents(bus)).map(async ({ name, state, reason, options, arenas, submittedAt }) =>
    ({ name, state, reason, waits: waits.find(({ run }) => run === name) ?? null, episodes: (await outcomesOf(bus, name)).values.size, of: options.episodes === untilStopped ? null : options.episodes, arenas: arenas.map(({ target }) => target), submittedAt })))
  if (json) {
    io.out(neutralJson({ runs, nodes }))
    return 0
  }
  io.out(runs.length === 0 ? 'No runs.' : renderTable(['run', 'state', 'episodes', 'arenas', 'submitted'], runs.map(({ name, state, waits, episodes, of, arenas, submittedAt }) =>
    [name, waits === null ? state : `${state}, ${waitText(waits)}`, `${episodes}/${of ?? '∞'}`, arenas.length > 1 ? `${arenas[0]!} and ${arenas.length - 1} more` : arenas[0]!, new Date(submittedAt).toISOString().slice(0, 19).replace('T', ' ')])))
  io.out('')
  io.out(nodes.length === 0 ? 'No nodes. Start one with: spar node' : renderTable(['node', 'state', 'rollouts', 'verify', 'grade', 'owned', 'arenas'], nodes.map(({ node, state, slots, arenas }) => {
    const shown = (kind: string): string => `${slots[kind]?.busy ?? 0}/${slots[kind]?.total ?? 0}`
    return [node, state, shown('run'), shown('verify'), shown('grade'), shown('own'), String(arenas.length)]
  })))
  return 0
}

async function steer ({ bus, name, io, json }: Asked, state: RunState, from: readonly RunState[]): Promise<number> {
  const { state: before } = await getDocument(bus, name)
  if (before !== state && !from.includes(before)) throw new SparError('RUN_STATE', `Cannot make the run ${name} ${state}: it is ${before}${isFinal(before) ? ', which is final' : ''}`)
  const document = await changeDocument(bus, name, document => document.state === state || !from.includes(document.state) ? null : { ...document, state, reason: state === 'cancelled' ? 'cancelled by its user' : '' })
  if (json) io.out(neutralJson({ run: name, state: document.state }))
  else io.out(`${name} is ${document.state}`)
  return document.state === state ? 0 : exitNo
}

async function quarantine ({ bus, name, io, json, values }: Asked): Promise<number> {
  await getDocument(bus, name)
  const works = await listQuarantine(bus, name)
  const chosen = values.resubmit === undefined ? [] : works.filter(({ work }) => values.resubmit === 'all' || work === values.resubmit)
  if (values.resubmit !== undefined && chosen.length === 0 && values.resubmit !== 'all') throw new SparError('WORK_NOT_FOUND', `There is no work ${values.resubmit} in the quarantine of ${name}: it holds ${works.map(({ work }) => work).join(', ') || 'nothing'}`)
  // One that was interrupted left nothing to choose, and all to do.
  const episodes = chosen.length > 0 || values.resubmit === 'all' ? await resubmit(bus, createRetry(systemClock), name, chosen).catch((error: unknown) => {
    if (chosen.length === 0 && toPlain(error).code === 'RUN_FINAL') return []
    throw error
  }) : []
  if (json) {
    io.out(neutralJson({ run: name, quarantined: works, resubmitted: chosen.map(({ work }) => work), episodes }))
    return 0
  }
  for (const { work, code, reason, deliveries, failures } of works) {
    io.out(`${work}: ${reason} [${code}], after ${deliveries} deliveries`)
    for (const failure of failures) io.out(`  delivery ${failure.delivery} on ${failure.node}, ${new Date(failure.at).toISOString()}: ${failure.reason} [${failure.code}]`)
  }
  if (works.length === 0 && episodes.length > 0) io.out(`${episodes.join(', ')} had been put back by half, and ${episodes.length === 1 ? 'is' : 'are'} on the queue again.`)
  else io.out(works.length === 0 ? 'Nothing is in quarantine.' : chosen.length > 0 ? `${chosen.length} of ${works.length} are on the queue again.` : `${works.length} in quarantine. Put them back with: spar run quarantine ${name} --resubmit all`)
  return 0
}

async function fetch ({ bus, name, io, json, values }: Asked): Promise<number> {
  if (values.out === undefined) throw new SparError('OPTION_MISSING', 'Cannot fetch a run without --out: name the folder that it goes into')
  const fetched = await fetchRun({ bus, retry: createRetry(systemClock), versions: { spar: version(), node: process.version } }, name, values.out)
  if (json) io.out(neutralJson({ run: name, folders: fetched }))
  else for (const { dir, episodes } of fetched) io.out(`${episodes} episodes in ${shownPath(dir)}. Look closer: spar show ${shownPath(dir)}`)
  return 0
}

async function documents (bus: Bus): Promise<RunDocument[]> {
  return [...(await keptNow(bus.kv.runs, '', readDocument)).values()].sort((one, other) => one.submittedAt - other.submittedAt)
}
