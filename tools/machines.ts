// What is made from the machines: the charts that the page draws, and their documents. Here, since src knows no machine.

import { readFileSync } from 'node:fs'
import { machineViews } from '../actors/definitions.ts'
import { documentOf, svgOf } from '../src/inspect/chart/document.ts'
import { layOut } from '../src/inspect/chart/layout.ts'
import type { Chart } from '../src/inspect/chart/placed.ts'

/** The charts that the page draws, by the machine's name. */
export async function placedCharts (): Promise<Record<string, Chart>> {
  return Object.fromEntries(await Promise.all(machineViews().map(async ({ machine, root }) => [machine, { root, placed: await layOut(root) }] as const)))
}

/** The file that a machine is written in, from the repository's root. */
export const fileOf = (machine: string): string => `machines/${machine === 'breaker' || machine === 'solver' ? 'rollout' : machine}.ts`

/** File name to content, of docs/machines. */
export async function machineDocs (): Promise<Map<string, string>> {
  const files = new Map([['README.md', indexOf(machineViews().map(({ machine }) => machine))]])
  for (const { machine, root } of machineViews()) {
    const file = fileOf(machine)
    files.set(`${machine}.svg`, svgOf(await layOut(root), `Statechart of ${machine}`))
    files.set(`${machine}.md`, documentOf(root, headOf(file), file))
  }
  return files
}

const indexOf = (machines: string[]): string => `# The machines

Every decision of Spar is one of these statecharts. Diagrams and tables are made from the very machines that run, by
\`npm run docs:machines\`.

| machine | |
| --- | --- |
${machines.map(machine => `| [${machine}](${machine}.md) | ${headOf(fileOf(machine)).split('\n')[0]!} |`).join('\n')}
`

/** The comment that a file opens with. */
function headOf (file: string): string {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.slice(0, lines.findIndex(line => !line.startsWith('//'))).map(line => line.replace(/^\/\/ ?/, '')).join('\n').trim()
}
