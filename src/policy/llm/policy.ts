// A model as a policy: a server, the prompts, and how its conversations are held.

import type { RolloutTask } from '../../domain.ts'
import type { Clock, Policy, PolicyVersions } from '../../ports.ts'
import type { Spill } from '../../rollout/spill.ts'
import type { Prompts } from './prompts.ts'
import { budgetDefaults } from '../../run/budgets.ts'
import { createLlmSession, type LlmSettings } from './session.ts'
import type { ModelServer } from './types.ts'

export const llmDefaults: LlmSettings = {
  sampling: { temperature: 1, topP: 1, topK: null, maxTokens: 8192 },
  tools: 'text',
  formatErrors: 'answer',
  commandsMsMax: budgetDefaults.commandsMsMax.solver
}

/** Nobody says which weights play. */
export const unversioned: PolicyVersions = { current: () => 'unversioned' }

export interface LlmPolicyOptions { server: ModelServer; prompts: Prompts; settings: LlmSettings; clock: Clock; versions?: PolicyVersions; spill?: Spill | null }

export function createLlmPolicy ({ versions = unversioned, spill = null, ...options }: LlmPolicyOptions): Policy {
  return {
    name: options.server.model,
    get version () { return versions.current() },
    start: (task: RolloutTask) => createLlmSession({ ...options, task, versions, spill }),
    spill
  }
}
