// `spar show <run> [<bug>|<rollout>]`: a run, one bug of it, or one rollout turn by turn, from the run's folder alone.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SparError } from '../errors.ts'
import { parseWhole } from '../run/options.ts'
import { openRunStore } from '../store/run.ts'
import type { Io } from './command.ts'
import { findBug } from './find-bug.ts'
import { isRolloutId, readRollout, renderRollout, viewRollout } from './show-rollout.ts'
import { renderBug, viewBug } from './show-bug.ts'
import { renderRun, viewRun } from './show-run.ts'
import { neutral, neutralJson, wantsColour } from './terminal.ts'

const usage = `Usage: spar show <run> [<bug>|<rollout>] [options]

Without a bug: options, the table, what was rejected and why, what failed, where things are.
With a bug (its id or the beginning of one): diffs, tests, checks with evidence, every attempt.
With a rollout (e0001.break, e0001.solve.1.0): what was said, called and answered, turn by turn.

  --all    all tests, not the first 20 of each list
  --turn n one turn of a rollout
  --json   one object on the last line`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { all: { type: 'boolean' }, turn: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const [dir, wanted] = positionals
  if (dir === undefined || positionals.length > 2) throw new SparError('OPTION_MISSING', `Name the folder of a run, and one bug or rollout at most. ${usage.split('\n')[0]}`)
  const store = openRunStore(resolve(dir))
  if (wanted === undefined) {
    const view = viewRun(store)
    io.out(values.json ? neutralJson(view) : neutral(renderRun(store, view)))
  } else if (isRolloutId(wanted)) {
    const record = readRollout(store, wanted)
    const turn = values.turn === undefined ? null : parseWhole('turn', values.turn, 1)
    io.out(values.json ? neutralJson(viewRollout(record)) : neutral(renderRollout(record, turn)))
  } else {
    const view = await viewBug(store, findBug(store, wanted))
    io.out(values.json ? neutralJson(view) : renderBug(store, view, { all: values.all === true, colour: wantsColour() }))
  }
  return 0
}
