// Which policies play: the procedural ones, or models behind inference servers. Roles can be mixed; two roles on the same
// server share its connections.

import { SparError } from '../errors.ts'
import type { Clock, Policy, Random } from '../ports.ts'
import { createLlmPolicy, llmDefaults } from '../policy/llm/policy.ts'
import { loadPrompts } from '../policy/llm/prompts.ts'
import { createServer } from '../policy/llm/servers/index.ts'
import type { ModelServer } from '../policy/llm/types.ts'
import { createProceduralBreaker } from '../policy/procedural/breaker.ts'
import { createProceduralSolver } from '../policy/procedural/solver.ts'
import { createReplayPolicy } from '../policy/replay.ts'
import { parsePolicy, type PolicyOptions, type PolicySpec, type ServerSpec } from '../run/policy-options.ts'
import type { Workers } from '../workers/pool.ts'

/** The inference server that an option names; its key comes from SPAR_API_KEY. */
export const openServer = ({ kind, urls }: ServerSpec, model: string, logprobsMode: string | null, { clock, random }: { clock: Clock; random: Random }): ModelServer =>
  createServer({ protocol: kind === 'vllm' ? 'vllm-completions' : kind, urls, model, logprobsMode }, { clock, random, env: process.env })

export interface Policies { breaker: Policy; solver: Policy; close (): Promise<void> }

/** Rejects with the server's own error when one of them does not answer. */
export async function createPolicies (options: PolicyOptions, ports: { workers: Workers; clock: Clock; random: Random }): Promise<Policies> {
  const servers = new Map<string, ModelServer>()
  const close = async (): Promise<void> => { await Promise.allSettled([...servers.values()].map(server => server.close())) }
  const policyOf = async (spec: PolicySpec, procedural: () => Policy): Promise<Policy> => {
    if (spec.kind === 'procedural') return procedural()
    if (spec.kind === 'replay') return createReplayPolicy(spec.folder)
    const key = `${spec.kind}=${spec.urls.join(',')}`
    if (options.model === null) throw new SparError('OPTION_MISSING', `Cannot play with ${key}: say which model with --model`)
    const server = servers.get(key) ?? openServer(spec, options.model, options.logprobsMode, ports)
    servers.set(key, server)
    // Asked before anything is played, so that a wrong address or key is told at once.
    await server.contextTokensMax()
    const tools = options.tools === 'auto' ? server.nativeTools ? 'native' : 'text' : options.tools
    const settings = { ...llmDefaults, tools, formatErrors: options.formatErrors, sampling: { ...llmDefaults.sampling, temperature: options.temperature, topP: options.topP, maxTokens: options.completionTokensMax } }
    return createLlmPolicy({ server, prompts: loadPrompts(options.prompts), settings, clock: ports.clock })
  }
  try {
    const breaker = await policyOf(parsePolicy('breaker', options.breaker), () => createProceduralBreaker(ports))
    return { breaker, solver: await policyOf(parsePolicy('solver', options.solver), () => createProceduralSolver(ports)), close }
  } catch (error) {
    await close()
    throw error
  }
}
