// spar doctor: what of Node, git, Python, Go, Docker, isolation and nats-server is there, what follows, and what sandboxes
// guarantee here.

import { mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { diagnose, type Diagnosis } from '../arena/diagnose.ts'
import { toPlain } from '../errors.ts'
import type { Sandboxes } from '../ports.ts'
import { createProcessSandboxes, probeIsolation } from '../sandbox/index.ts'
import { runCommand } from '../arena/command.ts'
import { createDockerSandboxes, findEngine } from '../sandbox/docker/index.ts'
import { guarantees, probeGuarantees, whatItTakes, type GuaranteeName } from '../sandbox/guarantees.ts'
import { exitNo, sparHome, type Io } from './command.ts'
import { readSandboxes } from './parse.ts'
import { renderTable } from './table.ts'

const usage = `Usage: spar doctor [--json] [--runtime name]

What this machine has, what follows, and what sandboxes guarantee here: some are opened and tried. --runtime tries containers with
another runtime of the engine. Exit code 0: Spar can play here; 1: something that it cannot do without is missing.`

const marks = { good: '✓', old: '!', missing: '–' } as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { json: { type: 'boolean' }, runtime: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const { runtime } = readSandboxes({ runtime: values.runtime })
  const diagnosis = await diagnose({ isolation: () => probeIsolation(sparHome()), engine: askEngine })
  const guaranteed = { process: await ofProcesses(), docker: await ofContainers(runtime) }
  if (values.json) io.out(JSON.stringify({ ...diagnosis, guarantees: guaranteed }))
  else print(diagnosis, guaranteed, io)
  return diagnosis.ready ? 0 : exitNo
}

async function askEngine (): Promise<{ version: string; refusal: string | null } | null> {
  const engine = await findEngine()
  if (engine === null) return null
  const asked = await runCommand('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: 10_000 }).catch(() => null)
  const sandboxes = await createDockerSandboxes({ docker: engine, home: sparHome() })
  const refusal = await sandboxes.assertSeesHost().then(() => null, (error: unknown) => { const { data, message } = toPlain(error); return String(data['reason'] ?? message) })
  await sandboxes.close()
  return { version: asked?.code === 0 && asked.stdout.trim() !== '' ? asked.stdout.trim() : 'answers', refusal }
}

// ---- guarantees -----------------------------------------------------------------------------------------------------

interface Answer { holds: boolean | null; takes?: string }

interface Guaranteed {
  /** `bubblewrap`, `namespaces`, `none`, or the runtime of containers. */
  by: string
  /** Runtimes that --runtime takes. */
  runtimes: string[]
  /** Why nothing could be tried. */
  fault: string | null
  answers: Partial<Record<GuaranteeName, Answer>>
}

async function ofProcesses (): Promise<Guaranteed> {
  mkdirSync(sparHome(), { recursive: true })
  const home = mkdtempSync(join(sparHome(), '.probe-'))
  try {
    const sandboxes = await createProcessSandboxes({ home, prepared: 0 })
    return { by: sandboxes.report.isolation, runtimes: [], ...await tried(sandboxes) }
  } catch (error) {
    return { by: 'none', runtimes: [], fault: toPlain(error).message, answers: {} }
  } finally { await rm(home, { recursive: true, force: true }) }
}

/** Null where there is no engine. A runtime that it does not have is an error. */
async function ofContainers (runtime: string | undefined): Promise<Guaranteed | null> {
  const engine = await findEngine()
  if (engine === null) return null
  const { names, default: usual } = await engine.runtimes()
  const sandboxes = await createDockerSandboxes({ docker: engine, home: sparHome(), prepared: 0, ...(runtime === undefined ? {} : { runtime }) })
  return { by: runtime ?? usual, runtimes: names, ...await tried(sandboxes) }
}

async function tried (sandboxes: Sandboxes): Promise<Pick<Guaranteed, 'fault' | 'answers'>> {
  try {
    const answers = Object.entries(await probeGuarantees(sandboxes, sparHome())) as [GuaranteeName, boolean | null][]
    return { fault: null, answers: Object.fromEntries(answers.map(([name, holds]) => [name, holds === true ? { holds } : { holds, takes: whatItTakes(sandboxes.kind, name) }])) }
  } catch (error) {
    return { fault: toPlain(error).message, answers: {} }
  } finally { await sandboxes.close() }
}

// ---- for people -----------------------------------------------------------------------------------------------------

function print ({ findings, auto, targets, ready }: Diagnosis, guaranteed: { process: Guaranteed; docker: Guaranteed | null }, io: Io): void {
  const names = Math.max(...findings.map(({ name }) => name.length))
  const versions = Math.max(...findings.map(({ version }) => (version ?? '').length))
  for (const { name, state, version, follows } of findings) io.out(`${marks[state]} ${name.padEnd(names)}  ${(version ?? '').padEnd(versions)}  ${follows}`)
  const works = Object.entries(targets).filter(([, is]) => is).map(([name]) => name)
  io.out('')
  io.out(`Targets that work here: ${works.join(', ') || 'none'}`)
  io.out(`--sandbox auto takes: ${auto.directory} for repositories and packages${auto.image === null ? '' : `, ${auto.image} for images`}`)
  if (!ready) io.out('Spar cannot play here yet: see the lines above')
  io.out('')
  printGuarantees(Object.entries(guaranteed).filter((entry): entry is [string, Guaranteed] => entry[1] !== null), io)
}

function printGuarantees (kinds: [string, Guaranteed][], io: Io): void {
  const shown = (answer: Answer | undefined): string => answer === undefined || answer.holds === null ? '?' : answer.holds ? 'yes' : 'no'
  const rows = (Object.entries(guarantees) as [GuaranteeName, string][]).map(([name, means]) => [name, ...kinds.map(([, { answers }]) => shown(answers[name])), means])
  io.out(renderTable(['guarantee', ...kinds.map(([kind, { by }]) => `${kind} (${by})`), ''], rows))
  io.out('')
  for (const [kind, { fault, answers, runtimes }] of kinds) {
    if (fault !== null) io.out(`${kind}: nothing could be tried: ${fault}`)
    for (const [name, { takes }] of Object.entries(answers)) if (takes !== undefined) io.out(`${kind}, ${name}: takes ${takes}`)
    if (runtimes.length > 0) io.out(`${kind}: --runtime takes ${runtimes.join(', ')}`)
  }
}
