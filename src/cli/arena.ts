// spar arena add|list|show|remove: targets that were opened, to play on often.

import { parseArgs } from 'node:util'
import { openArena } from '../arena/open.ts'
import { openStore, type ArenaRecord } from '../arena/store.ts'
import { systemClock } from '../clock.ts'
import { SparError } from '../errors.ts'
import { createSandboxes, removeArenaImages } from '../sandbox/index.ts'
import { exitUsage, sparHome, type Io } from './command.ts'
import { onlyArgument, sandboxesFor, sandboxOptionTypes, type SandboxValues } from './parse.ts'
import { renderTable } from './table.ts'
import { neutral, neutralJson } from './terminal.ts'

const usage = `Usage: spar arena add <target> [--setup "cmd"] [--test "cmd {files}"] [--sandbox auto|docker|process] [--runtime name] [--json]
       spar arena list [--json]
       spar arena show <id, name or target> [--json]
       spar arena remove <id, name or target> [--json]

Targets: a git repository, a git URL (with @ref), npm:name@range, pypi:name@range, docker:image#/path`

const optionTypes = {
  setup: { type: 'string' }, test: { type: 'string' }, ...sandboxOptionTypes, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
} as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: optionTypes, allowPositionals: true })
  const [action, ...rest] = positionals
  if (values.help || action === undefined) {
    io.out(usage)
    return values.help ? 0 : exitUsage
  }
  const json = values.json === true
  if (action === 'list') return await list(json, io)
  const wanted = onlyArgument(rest, action === 'add' ? 'a target' : 'an arena', usage)
  if (action === 'add') return await add(wanted, values, json, io)
  const store = await openStore(sparHome(), systemClock)
  if (action === 'show') return show(await store.find(wanted), json, io)
  if (action === 'remove') {
    const { arena } = await store.remove(wanted)
    // An engine that fails now is asked again by the reaper.
    await removeArenaImages().catch(() => {})
    io.out(json ? neutralJson({ removed: arena.id }) : neutral(`Removed arena ${arena.id} (${arena.target})`))
    return 0
  }
  throw new SparError('OPTION_INVALID', `Cannot "${action}" an arena: the actions are add, list, show and remove`)
}

async function add (target: string, values: SandboxValues & { setup?: string; test?: string }, json: boolean, io: Io): Promise<number> {
  const home = sparHome()
  const sandboxes = await createSandboxes({ ...sandboxesFor(values, target), home })
  try {
    const arena = await openArena({
      target, home, sandboxKind: sandboxes.kind, onProgress: line => io.err(neutral(line)),
      ...(values.setup === undefined ? {} : { setup: values.setup }), ...(values.test === undefined ? {} : { test: values.test })
    }, { sandboxes, clock: systemClock })
    const store = await openStore(home, systemClock)
    return show(await store.find(arena.id), json, io)
  } finally {
    await sandboxes.close()
  }
}

const passing = ({ arena }: ArenaRecord): number => arena.testFiles.reduce((sum, file) => sum + file.passed, 0)

async function list (json: boolean, io: Io): Promise<number> {
  const records = await (await openStore(sparHome(), systemClock)).list()
  if (json) io.out(neutralJson({ arenas: records.map(({ arena }) => arena) }))
  else if (records.length === 0) io.out('No arenas yet. spar arena add <target> opens one')
  else {
    io.out(neutral(renderTable(['id', 'target', 'runner', 'tests', 'commits'],
      records.map(record => [record.arena.id, record.arena.target, record.arena.runner, String(passing(record)), String(record.arena.commits)]))))
  }
  return 0
}

function show (record: ArenaRecord, json: boolean, io: Io): number {
  const { arena, label, evidence, setup, dropped, notes } = record
  if (json) {
    io.out(neutralJson({ ...arena, label, evidence, setup, dropped, notes }))
    return 0
  }
  const lines: [string, string][] = [
    ['arena', arena.id], ['target', arena.target], ['stands for', label], ['commit', `${arena.commit} (${arena.commits} in its history)`],
    ['tests', `${passing(record)} pass in ${arena.testFiles.length} files`], ['run with', `${arena.runner}: ${evidence}`],
    ...(setup === null ? [] : [['prepared by', setup] as [string, string]]),
    ['kept in', arena.image === null ? arena.dir : `${arena.image}, ${arena.imagePath} (history and diffs are read in its sandboxes)`],
    ...notes.map(note => ['left out', note] as [string, string]),
    ...dropped.map(({ path, reason }) => ['left out', `${path}: ${reason}`] as [string, string])
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  io.out(neutral(lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')))
  return 0
}
