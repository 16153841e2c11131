#!/usr/bin/env node
// `spar`: finds the command, runs it, turns what it threw into one clear line and an exit code.
// Exit codes: 0 done, 1 the answer is no, 2 could not be done or decided, 64 wrong usage, 130 interrupted,
// 141 whoever read the output has left (`spar show run | head`).

import { toPlain } from '../errors.ts'
import { exitPipeClosed, exitUsage, exitUndecided, type Command, type Io } from './command.ts'
import { neutral, neutralJson, printable } from './terminal.ts'

const commands: Record<string, { summary: string; load: () => Promise<{ run: Command }> }> = {
  play: { summary: 'play self-play episodes on a target', load: () => import('./play.ts') },
  verify: { summary: 'prove that a bug is real: the table of all checks', load: () => import('./verify.ts') },
  grade: { summary: 'would this patch repair the bug?', load: () => import('./grade.ts') },
  leaks: { summary: 'can a solver read the original of what a bug changes?', load: () => import('./leaks.ts') },
  reverify: { summary: 'does all that a run says follow from its evidence? and new rewards without new rollouts', load: () => import('./reverify.ts') },
  eval: { summary: 'play the solver on SWE-bench instances: how many does it resolve?', load: () => import('./eval.ts') },
  arena: { summary: 'add, list, show or remove opened targets', load: () => import('./arena.ts') },
  export: { summary: 'write a run as swebench, swesmith, harbor or jsonl', load: () => import('./export.ts') },
  show: { summary: 'a run, or one bug of it', load: () => import('./show.ts') },
  node: { summary: 'a node of the cluster: takes work off the bus', load: () => import('./node.ts') },
  run: { summary: 'runs of the cluster: submit, list, watch, pause, cancel, fetch', load: () => import('./run.ts') },
  inspect: { summary: 'a page on which a cluster, or a run, is seen: every actor, episode and rollout', load: () => import('./inspect.ts') },
  report: { summary: 'a run as one HTML file', load: () => import('./report.ts') },
  top: { summary: 'the cluster in a terminal, live', load: () => import('./top.ts') },
  policy: { summary: 'which weights of a model are served: told to all nodes', load: () => import('./policy.ts') },
  proxy: { summary: 'record agents that have a loop of their own', load: () => import('./proxy.ts') },
  simulate: { summary: 'a whole cluster in virtual time, from one seed, with faults', load: () => import('./simulate.ts') },
  scale: { summary: 'how a deployment of any size would do: what waits, what is full first', load: () => import('./scale.ts') },
  doctor: { summary: 'what this machine has, and what follows', load: () => import('./doctor.ts') }
}

const usage = (): string => [
  'Usage: spar <command> [options]      spar <command> --help',
  '',
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`)
].join('\n')

async function main (argv: string[], io: Io): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(usage())
    return name === undefined ? exitUsage : 0
  }
  if (name === '--version') {
    io.out((await import('./version.ts')).version())
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    io.err(`spar: there is no command "${name}"\n\n${usage()}`)
    return exitUsage
  }
  try {
    return await (await command.load()).run(rest, io)
  } catch (error) {
    return report(error, name, rest.includes('--json'), io)
  }
}

function report (error: unknown, name: string, json: boolean, io: Io): number {
  const plain = toPlain(error)
  const isUsage = plain.code.startsWith('OPTION_') || ((error as { code?: string })?.code ?? '').startsWith('ERR_PARSE_ARGS')
  const code = isUsage && plain.code === 'DEFECT' ? 'OPTION_INVALID' : plain.code
  io.err(neutral(`spar ${name}: ${plain.message} [${code}]`))
  if (code === 'DEFECT' && error instanceof Error && error.stack) io.err(neutral(error.stack))
  if (json) io.out(neutralJson({ error: { ...plain, code } }))
  return isUsage ? exitUsage : exitUndecided
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(exitPipeClosed)
  })
}

process.exitCode = await main(process.argv.slice(2), {
  out: line => { process.stdout.write(printable(line) + '\n') },
  err: line => { process.stderr.write(printable(line) + '\n') }
})
