// spar doctor: what of Node, git, Python, Go, Docker, isolation and nats-server is there, and what follows.

import { parseArgs } from 'node:util'
import { diagnose, type Diagnosis } from '../arena/diagnose.ts'
import { toPlain } from '../errors.ts'
import { probeIsolation } from '../sandbox/index.ts'
import { runCommand } from '../arena/command.ts'
import { createDockerSandboxes, findEngine } from '../sandbox/docker/index.ts'
import { exitNo, sparHome, type Io } from './command.ts'

const usage = `Usage: spar doctor [--json]

What this machine has, and what follows. Exit code 0: Spar can play here; 1: something that it cannot do without is missing.`

const marks = { good: '✓', old: '!', missing: '–' } as const

export async function run (argv: string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const diagnosis = await diagnose({ isolation: () => probeIsolation(sparHome()), engine: askEngine })
  if (values.json) io.out(JSON.stringify(diagnosis))
  else print(diagnosis, io)
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

function print ({ findings, auto, targets, ready }: Diagnosis, io: Io): void {
  const names = Math.max(...findings.map(({ name }) => name.length))
  const versions = Math.max(...findings.map(({ version }) => (version ?? '').length))
  for (const { name, state, version, follows } of findings) io.out(`${marks[state]} ${name.padEnd(names)}  ${(version ?? '').padEnd(versions)}  ${follows}`)
  const works = Object.entries(targets).filter(([, is]) => is).map(([name]) => name)
  io.out('')
  io.out(`Targets that work here: ${works.join(', ') || 'none'}`)
  io.out(`--sandbox auto takes: ${auto.directory} for repositories and packages${auto.image === null ? '' : `, ${auto.image} for images`}`)
  if (!ready) io.out('Spar cannot play here yet: see the lines above')
}
