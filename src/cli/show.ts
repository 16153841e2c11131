// `spar show <run> [<bug>]`: a run, or one bug of it, from the run's folder alone.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SparError } from '../errors.ts'
import { openRunStore } from '../store/run.ts'
import type { Io } from './command.ts'
import { findBug } from './find-bug.ts'
import { renderBug, viewBug } from './show-bug.ts'
import { renderRun, viewRun } from './show-run.ts'
import { neutral, neutralJson, wantsColour } from './terminal.ts'

const usage = `Usage: spar show <run> [<bug>] [options]

Without a bug: options, the table, what was rejected and why, what failed, where things are.
With a bug (its id or the beginning of one): diffs, tests, checks with evidence, every attempt.

  --all    all tests, not the first 20 of each list
  --json   one object on the last line`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { all: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const [dir, wanted] = positionals
  if (dir === undefined || positionals.length > 2) throw new SparError('OPTION_MISSING', `Name the folder of a run, and one bug at most. ${usage.split('\n')[0]}`)
  const store = openRunStore(resolve(dir))
  if (wanted === undefined) {
    const view = viewRun(store)
    io.out(values.json ? neutralJson(view) : neutral(renderRun(store, view)))
  } else {
    const view = await viewBug(store, findBug(store, wanted))
    io.out(values.json ? neutralJson(view) : renderBug(store, view, { all: values.all === true, colour: wantsColour() }))
  }
  return 0
}
