// Which language a file is in, by its name: apart from the parsers, which only threads load.

import type { Language } from './types.ts'

const extensions: Record<string, Language> = {
  js: 'javascript', mjs: 'javascript', cjs: 'javascript', jsx: 'javascript', ts: 'typescript', mts: 'typescript', cts: 'typescript', tsx: 'typescript', py: 'python', go: 'go'
}

export function languageOf (path: string): Language | null {
  if (/\.d\.[mc]?ts$/i.test(path)) return null
  return extensions[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? null
}
