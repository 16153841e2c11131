// Which policies play: the procedural ones, or models behind inference servers. Roles can be mixed; two roles on the same
// server share its connections.

import type { Role } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Clock, Policy, PolicyVersions, Random } from '../ports.ts'
import { createLlmPolicy, llmDefaults, unversioned } from '../policy/llm/policy.ts'
import { loadPrompts } from '../policy/llm/prompts.ts'
import { createServer } from '../policy/llm/servers/index.ts'
import type { ModelServer, ServerCheck } from '../policy/llm/types.ts'
import { createProceduralBreaker } from '../policy/procedural/breaker.ts'
import { createProceduralSolver } from '../policy/procedural/solver.ts'
import { createReplayPolicy } from '../policy/replay.ts'
import { createSpill, type Spill } from '../rollout/spill.ts'
import type { BudgetOptions } from '../run/budgets.ts'
import { parsePolicy, type PolicyOptions, type PolicySpec, type ServerSpec } from '../run/policy-options.ts'
import type { Workers } from '../workers/pool.ts'

/** The inference server that an option names; its key comes from SPAR_API_KEY. */
export const openServer = ({ kind, urls }: ServerSpec, model: string, logprobsMode: string | null, { clock, random, versions }: { clock: Clock; random: Random; versions?: PolicyVersions }): ModelServer =>
  createServer({ protocol: kind === 'vllm' ? 'vllm-completions' : kind, urls, model, logprobsMode }, { clock, random, env: process.env, ...versions === undefined ? {} : { versions } })

export interface Policies { breaker: Policy; solver: Policy; close (): Promise<void> }

export interface PolicyPorts {
  workers: Workers
  /** Spar's state folder: what models say is kept there while their rollouts are in flight. */
  home: string
  clock: Clock
  random: Random
  /** Of a model, where whoever publishes its weights says which are served. */
  versionsOf?: (model: string, otherwise: PolicyVersions) => PolicyVersions
  onLine?: (line: string) => void
}

/** Asks every server first, so that a wrong address, key or name of a model is told before anything is played; rejects with that. */
export async function createPolicies (options: PolicyOptions & Pick<BudgetOptions, 'commandsMsMax'>, ports: PolicyPorts): Promise<Policies> {
  const { policyVersion, model } = options
  const stated = policyVersion === null ? unversioned : { current: () => policyVersion }
  const versions = model === null ? stated : ports.versionsOf?.(model, stated) ?? stated
  const servers = new Map<string, ModelServer>()
  let spill: Spill | null = null
  const close = async (): Promise<void> => {
    await Promise.allSettled([...servers.values()].map(server => server.close()))
    spill?.close()
  }
  const policyOf = async (role: Role, spec: PolicySpec, procedural: () => Policy): Promise<Policy> => {
    if (spec.kind === 'procedural') return procedural()
    if (spec.kind === 'replay') return createReplayPolicy(spec.folder)
    const key = `${spec.kind}=${spec.urls.join(',')}`
    if (model === null) throw new SparError('OPTION_MISSING', `Cannot play with ${key}: say which model with --model`)
    const server = servers.get(key) ?? openServer(spec, model, options.logprobsMode, { ...ports, versions })
    if (!servers.has(key)) {
      servers.set(key, server)
      tellDown(await server.check(), ports.onLine)
    }
    const tools = options.tools === 'auto' ? server.nativeTools ? 'native' : 'text' : options.tools
    const settings = { ...llmDefaults, tools, formatErrors: options.formatErrors, commandsMsMax: options.commandsMsMax[role], sampling: { ...llmDefaults.sampling, temperature: options.temperature, topP: options.topP, maxTokens: options.completionTokensMax } }
    return createLlmPolicy({ server, prompts: loadPrompts(options.prompts), settings, clock: ports.clock, versions, spill: spill ??= createSpill(ports.home) })
  }
  try {
    const breaker = await policyOf('breaker', parsePolicy('breaker', options.breaker), () => createProceduralBreaker(ports))
    return { breaker, solver: await policyOf('solver', parsePolicy('solver', options.solver), () => createProceduralSolver(ports)), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Endpoints that are down while others are well: the run goes on without them, and takes them when they are back. */
export function tellDown ({ down }: ServerCheck, onLine: ((line: string) => void) | undefined): void {
  for (const { address, reason } of down) onLine?.(`${address} is not well, and gets no turns until it is: ${reason}`)
}
