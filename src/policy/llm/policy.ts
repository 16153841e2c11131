// A model as a policy: a server, the prompts, and how its conversations are held.

import type { RolloutTask } from '../../domain.ts'
import type { Clock, Policy } from '../../ports.ts'
import type { Prompts } from './prompts.ts'
import { createLlmSession, type LlmSettings } from './session.ts'
import type { ModelServer } from './types.ts'

export const llmDefaults: LlmSettings = {
  sampling: { temperature: 1, topP: 1, topK: null, maxTokens: 8192 },
  tools: 'text',
  formatErrors: 'answer',
  commandsMsMax: 30 * 60_000
}

export function createLlmPolicy ({ server, prompts, settings, clock, version = 'unversioned' }: { server: ModelServer; prompts: Prompts; settings: LlmSettings; clock: Clock; version?: string }): Policy {
  return {
    name: server.model,
    version,
    start: (task: RolloutTask) => createLlmSession({ server, prompts, settings, clock, task, version })
  }
}
