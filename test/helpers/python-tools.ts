// The tools of the formats that are exported, each in a virtual environment of its own: SPAR_TEST_PYTHON_TOOLS names the
// folder that holds `swebench`, `swesmith` and `harbor`. Tests that need one are skipped where it is missing, but for CI.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export type PythonTool = 'swebench' | 'swesmith' | 'harbor'

/** Runs a program with the tool at hand; null where the tool is not installed. */
export function pythonTool (tool: PythonTool): ((program: string, ...args: string[]) => string) | null {
  const folder = process.env['SPAR_TEST_PYTHON_TOOLS']
  const python = folder === undefined ? null : join(folder, tool, 'bin', 'python')
  if (python === null || !existsSync(python)) return null
  return (program, ...args) => execFileSync(python, ['-', ...args], { input: program, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 2 ** 26 })
}
