// What is made from the machines: the charts that the page draws, and their documentation. Here, since src knows no machine.

import { readFileSync } from 'node:fs'
import { breaker } from '../machines/breaker.ts'
import { episode } from '../machines/episode.ts'
import { node } from '../machines/node.ts'
import { run } from '../machines/run.ts'
import { sandbox } from '../machines/sandbox.ts'
import { slot } from '../machines/slot.ts'
import { solver } from '../machines/solver.ts'
import { verifier } from '../machines/verifier.ts'
import { documentOf, svgOf } from '../src/inspect/chart/document.ts'
import { layOut } from '../src/inspect/chart/layout.ts'
import type { Placed } from '../src/inspect/chart/placed.ts'
import { readMachine, type StateNodeLike } from '../src/inspect/chart/read.ts'

/** Every machine, and the file that opens with what it is. */
export const machines: { root: StateNodeLike; file: string }[] = [
  { root: run.root, file: 'machines/run.ts' },
  { root: episode.root, file: 'machines/episode.ts' },
  { root: breaker.root, file: 'machines/rollout.ts' },
  { root: solver.root, file: 'machines/rollout.ts' },
  { root: verifier.root, file: 'machines/verifier.ts' },
  { root: sandbox.root, file: 'machines/sandbox.ts' },
  { root: node.root, file: 'machines/node.ts' },
  { root: slot.root, file: 'machines/slot.ts' }
]

/** The charts that the page draws, by the machine's name. */
export async function placedCharts (): Promise<Record<string, Placed>> {
  const charts = machines.map(({ root }) => readMachine(root))
  return Object.fromEntries(await Promise.all(charts.map(async chart => [chart.key, await layOut(chart)] as const)))
}

/** File name to content, of docs/machines. */
export async function machineDocs (): Promise<Map<string, string>> {
  const files = new Map([['README.md', indexOf(machines)]])
  for (const { root, file } of machines) {
    const chart = readMachine(root)
    files.set(`${chart.key}.svg`, svgOf(await layOut(chart), `Statechart of ${chart.key}`))
    files.set(`${chart.key}.md`, documentOf(chart, headOf(file), file))
  }
  return files
}

const indexOf = (list: { root: StateNodeLike; file: string }[]): string => `# The machines

Every decision of Spar is one of these statecharts. Diagrams and tables are made from the very machines that run, by
\`npm run docs:machines\`.

| machine | |
| --- | --- |
${list.map(({ root, file }) => `| [${root.id}](${root.id}.md) | ${headOf(file).split('\n')[0]} |`).join('\n')}
`

/** The comment that a file opens with. */
function headOf (file: string): string {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.slice(0, lines.findIndex(line => !line.startsWith('//'))).map(line => line.replace(/^\/\/ ?/, '')).join('\n').trim()
}
