// `spar export <run> --format …`: writes a run for the tools of others.

import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { OpenTree } from '../export/combine.ts'
import { exportRun, formats } from '../export/index.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandboxes } from '../ports.ts'
import { parseWhole } from '../run/options.ts'
import { createSandboxes } from '../sandbox/index.ts'
import { openRunStore } from '../store/run.ts'
import { shownPath, sparHome, type Io } from './command.ts'
import { onlyArgument, parseWord } from './parse.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar export <run> --format swebench|swesmith|harbor|jsonl [options]

  --format f     swebench  instances.jsonl, and a task repo that builds its images
                 swesmith  instances.jsonl, whose patches make the bugs
                 harbor    one task folder a bug
                 jsonl     samples.jsonl: rollouts with rewards and messages
  --out dir      default: <run>/export/<format>
  --max-order 2  1: leave bugs of the second order out
  --image name   base image of the tasks (default: the arena's, else one of its language)
  --json         one object on the last line: { format, out, instances, leftOut }`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      format: { type: 'string' }, out: { type: 'string' }, 'max-order': { type: 'string' }, image: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const dir = resolve(onlyArgument(positionals, 'the folder of a run', usage))
  if (values.format === undefined) throw new SparError('OPTION_MISSING', `Name a format with --format: ${formats.join(', ')}`)
  const format = parseWord('format', values.format, formats)
  const orderMax = parseWhole('max-order', values['max-order'] ?? '2', 1, 2)
  const store = openRunStore(dir)
  const trees = lazyTrees(store.file().arena, store.run)
  try {
    const exported = await exportRun(store, { format, out: resolve(values.out ?? join(dir, 'export', format)), orderMax, image: values.image ?? null }, trees.open)
    if (values.json) io.out(neutralJson(exported))
    else {
      io.out(`Wrote ${exported.instances} ${format === 'jsonl' ? 'samples' : format === 'harbor' ? 'tasks' : 'instances'} (${format}) to ${shownPath(exported.out)}`)
      for (const { bug, reason } of exported.leftOut) io.err(`  left out: ${bug}: ${reason}`)
    }
    return 0
  } finally {
    await trees.close()
  }
}

/** Sandboxes are opened only where a bug of the second order needs one. */
function lazyTrees (arena: Arena, runId: string): { open: OpenTree; close (): Promise<void> } {
  let sandboxes: Promise<Sandboxes> | null = null
  return {
    async open () {
      sandboxes ??= createSandboxes({ kind: arena.image === null ? 'process' : 'docker', home: sparHome() })
      return await (await sandboxes).open({ arena, view: 'tree', network: 'none', label: { run: runId, purpose: 'export' } })
    },
    close: async () => { await (await sandboxes)?.close() }
  }
}
