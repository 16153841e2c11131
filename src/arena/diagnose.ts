// What this machine has and what follows from it. Everything is asked of the thing itself, none of it changes anything.

import type { IsolationReport } from '../sandbox/index.ts'
import { runCommand } from './command.ts'

export interface Finding {
  name: string
  /** `good`, `old`: there but not to be used for everything, `missing`. */
  state: 'good' | 'old' | 'missing'
  version: string | null
  /** What follows for the user. */
  follows: string
}

export interface Diagnosis {
  findings: Finding[]
  sandboxes: { docker: boolean; process: string; overlay: boolean }
  /** What `--sandbox auto` takes, by where the target's tree is. */
  auto: { directory: 'docker' | 'process'; image: 'docker' | null }
  targets: Record<'git' | 'npm' | 'pypi' | 'docker', boolean>
  ecosystems: Record<'node' | 'python' | 'go', boolean>
  /** The least that play needs is there. */
  ready: boolean
}

export interface DiagnosisPorts {
  isolation (): Promise<IsolationReport>
  /** The engine, or null when none answers; `refusal` says why it cannot play what lives in a directory. */
  engine (): Promise<{ version: string; refusal: string | null } | null>
}

/** From this version on, a publisher cannot purge other accounts' streams (CVE-2025-30215). */
const natsSafe: readonly (readonly number[])[] = [[2, 10, 27], [2, 11, 1]]
const askMsMax = 15_000

async function versionOf (file: string, args: readonly string[], pattern = /\d+\.\d+(\.\d+)?[\w.+-]*/): Promise<string | null> {
  const result = await runCommand(file, args, { timeoutMs: askMsMax }).catch(() => null)
  return result === null || result.code !== 0 ? null : pattern.exec(result.stdout + result.stderr)?.[0] ?? null
}

/** Whether a version is at least another, number by number. */
export function isAtLeast (version: string, least: readonly number[]): boolean {
  const numbers = version.split(/[^\d]+/).map(Number)
  for (const [index, wanted] of least.entries()) if ((numbers[index] ?? 0) !== wanted) return (numbers[index] ?? 0) > wanted
  return true
}

/** 2.10 from .27, 2.11 from .1, everything later. */
export function isNatsSafe (version: string): boolean {
  const line = natsSafe.find(([major, minor]) => version.startsWith(`${major}.${minor}.`))
  return line === undefined ? isAtLeast(version, [2, 11, 1]) : isAtLeast(version, line)
}

export async function diagnose ({ isolation, engine }: DiagnosisPorts): Promise<Diagnosis> {
  const [git, bash, npmVersion, python, pip, go, nats, docker, report] = await Promise.all([
    versionOf('git', ['--version']), versionOf('bash', ['--version']), versionOf('npm', ['--version']),
    versionOf('python3', ['--version']), versionOf('python3', ['-m', 'pip', '--version']), versionOf('go', ['version']), versionOf('nats-server', ['--version']),
    engine(), isolation().catch((error: Error) => error)
  ])
  const found = (name: string, version: string | null, good: string, missing: string): Finding =>
    ({ name, state: version === null ? 'missing' : 'good', version, follows: version === null ? missing : good })
  const isOldNode = !isAtLeast(process.versions.node, [20, 18])
  const findings: Finding[] = [
    { name: 'node', state: isOldNode ? 'old' : 'good', version: process.versions.node, follows: isOldNode ? 'Spar needs Node 20.18 or later' : 'plays JavaScript and TypeScript repositories' },
    found('npm', npmVersion, 'npm: targets, and dependencies of Node repositories', 'no npm: targets, and no dependencies for Node repositories'),
    found('git', git, 'git repositories and URLs; every arena is kept as one', 'nothing can be opened: install git'),
    found('bash', bash, 'test scripts run', 'nothing can be played: install bash'),
    found('python', python, pip === null ? 'parsers in Python run; no dependencies can be installed without pip' : 'plays Python repositories', 'no Python repositories, and no pypi: targets'),
    found('pip', pip, 'pypi: targets, and dependencies of Python repositories', 'no pypi: targets; Python repositories only with --setup'),
    found('go', go, 'plays Go repositories', 'no Go repositories'),
    found('docker', docker?.version ?? null, docker?.refusal ? `docker: targets only: the engine does not see the files of this machine (${docker.refusal})` : 'every target, with --sandbox docker', 'no docker: targets: no engine answers'),
    ...isolationFindings(report),
    natsFinding(nats)
  ]
  const isolationName = report instanceof Error ? 'none' : report.isolation
  return {
    findings,
    sandboxes: { docker: docker !== null, process: isolationName, overlay: !(report instanceof Error) && report.overlay },
    auto: { directory: docker !== null && docker.refusal === null ? 'docker' : 'process', image: docker === null ? null : 'docker' },
    targets: { git: git !== null, npm: git !== null && npmVersion !== null, pypi: git !== null && pip !== null, docker: docker !== null },
    ecosystems: { node: npmVersion !== null, python: pip !== null, go: go !== null },
    ready: git !== null && bash !== null && !isOldNode
  }
}

function isolationFindings (report: IsolationReport | Error): Finding[] {
  if (report instanceof Error) {
    return [{ name: 'process sandbox', state: 'missing', version: null, follows: `process sandboxes do not open here: ${report.message}` }]
  }
  const why = report.refused.map(({ isolation, reason }) => `${isolation}: ${reason}`).join('; ')
  const { isolation, overlay, cgroups } = report
  return [
    {
      name: 'process sandbox',
      state: isolation === 'none' ? 'old' : 'good',
      version: isolation,
      follows: isolation === 'none'
        ? `what is played runs with your rights: play only what you trust, or use Docker${why === '' ? '' : ` (${why})`}`
        : `isolated by ${isolation}${cgroups === null ? '; memory is not bounded, no cgroup can be made' : `, limits by cgroups v${cgroups}`}`
    },
    { name: 'overlay', state: overlay ? 'good' : 'missing', version: null, follows: overlay ? 'a sandbox is ready in milliseconds' : 'each sandbox copies its tree, which takes longer' }
  ]
}

function natsFinding (version: string | null): Finding {
  if (version === null) return { name: 'nats-server', state: 'missing', version, follows: 'one machine plays without it; several need one' }
  const isSafe = isNatsSafe(version)
  return {
    name: 'nats-server',
    state: isSafe ? 'good' : 'old',
    version,
    follows: isSafe ? 'fit for several machines' : 'fit for trying out, not for production: before 2.10.27 and 2.11.1 any publisher can purge streams of other accounts (CVE-2025-30215)'
  }
}
