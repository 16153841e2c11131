// The versions of the host's tools that an installed environment depends on: another interpreter needs another environment.

import type { Ecosystem } from '../domain.ts'
import { SparError } from '../errors.ts'
import { lastLines, runCommand } from './command.ts'
import type { ArenaLimits } from './limits.ts'

const known = new Map<Ecosystem, Promise<string>>()

export function toolchainOf (ecosystem: Ecosystem, limits: ArenaLimits): Promise<string> {
  let asked = known.get(ecosystem)
  if (asked === undefined) {
    asked = ask(ecosystem, limits)
    known.set(ecosystem, asked)
    asked.catch(() => known.delete(ecosystem))
  }
  return asked
}

async function ask (ecosystem: Ecosystem, limits: ArenaLimits): Promise<string> {
  if (ecosystem === 'node') return `node ${process.versions.node} ${process.platform} ${process.arch}`
  const [file, args] = ecosystem === 'python' ? ['python3', ['-I', '-c', 'import sys; print("python", sys.version.split()[0], sys.platform, sys.base_prefix)']] as const : ['go', ['version']] as const
  const result = await runCommand(file, args, { timeoutMs: limits.lookupMsMax })
  if (result.code !== 0) throw new SparError('ARENA_TOOL_MISSING', `Cannot use ${file}: ${lastLines(result)}`, { data: { tool: file } })
  return result.stdout.trim()
}
