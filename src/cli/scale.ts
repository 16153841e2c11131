// `spar scale`: how a deployment of any size would do, reckoned in seconds: what waits, what is thrown away as too old, what is full first.

import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parse as parseToml } from 'smol-toml'
import { SparError } from '../errors.ts'
import { parseWhole } from '../run/options.ts'
import { figures as known, orders, readFigures, releases, type Figures, type Policy } from '../scale/figures.ts'
import { fullFirst } from '../scale/full-first.ts'
import { model, type Modelled } from '../scale/model.ts'
import type { Io } from './command.ts'
import { renderTable } from './table.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar scale [options]

Reckons a deployment: nodes with their slots and cores, engines that sample, a trainer, and the bus between them, as queues in virtual time.
The defaults are the size of the paper (448 GPUs that sample, 64 that train); every figure can be yours.

  --nodes 10,100,1000       one line for each number of nodes; default: 10,30,100,300,1000
  --set name=value          a figure; again for another
  --figures file.toml       figures by name
  --order ${orders.join('|')}   what a free slot takes; default: turns, as nodes do. Several with commas are compared
  --release ${releases.join('|')}   when a solved group is the trainer's; default: group, as nodes do. Several with commas are compared
  --list                    all figures, and where their defaults are from
  --json                    one object for each deployment`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: {
    nodes: { type: 'string' }, set: { type: 'string', multiple: true }, figures: { type: 'string' }, order: { type: 'string' }, release: { type: 'string' },
    list: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
  } })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const given = { ...values.figures === undefined ? {} : await readFile(values.figures, 'utf8').then(text => parseFile(text, values.figures!), unread(values.figures)), ...Object.fromEntries((values.set ?? []).map(pair)) }
  const figures = readFigures(given)
  if (values.list) {
    io.out(values.json ? neutralJson(known) : renderTable(['figure', 'value', 'unit', 'from'], Object.entries(known).map(([name, { unit, from }]) => [name, String(figures[name as keyof Figures]), unit, Object.hasOwn(given, name) ? 'given' : from])))
    return 0
  }
  const nodes = values.nodes?.split(',').map(count => parseWhole('nodes', count, 1, 100_000)) ?? (Object.hasOwn(given, 'nodes') ? [figures.nodes] : [10, 30, 100, 300, 1000])
  const policies = choices('order', values.order ?? 'turns', orders).flatMap(order => choices('release', values.release ?? 'group', releases).map((release): Policy => ({ order, release })))
  const rows: string[][] = []
  for (const policy of policies) {
    for (const count of nodes) {
      const one = { ...figures, nodes: count }
      const modelled = model(one, policy)
      if (modelled.steps < figures.steps) io.err(`  ${count} nodes, ${policy.order}, ${policy.release}: the trainer is starved, it made ${modelled.steps} of ${figures.steps} steps in ${(modelled.seconds / 86_400).toFixed(0)} days`)
      if (values.json) io.out(neutralJson({ figures: one, policy, ...modelled, fullFirst: fullFirst(modelled) }))
      rows.push(rowOf(one, policy, modelled))
    }
  }
  if (!values.json) io.out(renderTable(head, rows))
  return 0
}

const head = ['nodes', 'order', 'release', 'rollouts/s', 'tokens/s', 'trainer', 'sequences', 'run slots', 'cores', 'break waits', 'solve waits', 'stale: breaker', 'solver', 'age: breaker', 'solver', 'bus', 'full first']

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`
const seconds = (value: number): string => value < 100 ? `${value.toFixed(1)} s` : `${(value / 60).toFixed(0)} min`

function rowOf ({ nodes }: Figures, { order, release }: Policy, modelled: Modelled): string[] {
  const { used, waits, taken } = modelled
  const staleOf = ({ stale, trained, flat }: Modelled['taken']['solver']): string => percent(stale / Math.max(1, stale + trained + flat))
  return [
    String(nodes), order, release, (modelled.rollouts / modelled.seconds).toFixed(2), String(Math.round(modelled.trainedTokens / modelled.seconds)), percent(used.trainer), percent(used.sequences), percent(used.runSlots), percent(used.cores),
    seconds(waits.break.p95), seconds(waits.solve.p95), staleOf(taken.breaker), staleOf(taken.solver), taken.breaker.age.mean.toFixed(1), taken.solver.age.mean.toFixed(1), percent(used.bus), fullFirst(modelled)
  ]
}

function choices<T extends string> (option: string, text: string, of: readonly T[]): T[] {
  return text.split(',').map(word => {
    if (!of.includes(word as T)) throw new SparError('OPTION_INVALID', `Cannot use --${option} "${word}": it takes ${of.join(', ')}`)
    return word as T
  })
}

function pair (text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new SparError('OPTION_INVALID', `Cannot use --set "${text}": it takes name=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}

function parseFile (text: string, path: string): Record<string, unknown> {
  try {
    return parseToml(text)
  } catch (error) {
    throw new SparError('OPTION_INVALID', `Cannot use --figures ${path}: ${(error as Error).message.split('\n')[0]}`)
  }
}

const unread = (path: string) => (error: unknown): never => { throw new SparError('OPTION_INVALID', `Cannot use --figures ${path}: ${(error as Error).message}`) }
