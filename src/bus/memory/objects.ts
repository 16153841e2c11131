// The objects of the memory bus.

import { checkKey } from '../subjects.ts'
import type { Objects } from '../types.ts'

export function createObjects (): Objects {
  const kept = new Map<string, Uint8Array>()
  return {
    async put (name, bytes) { if (!kept.has(checkKey(name))) kept.set(name, new Uint8Array(bytes)) },
    get: async name => kept.get(checkKey(name)) ?? null,
    remove: async name => { kept.delete(checkKey(name)) }
  }
}
