import { readFileSync } from 'node:fs'

/** The version in package.json, which lies three folders up from the compiled file and two from the source. */
export function version (): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { name: string; version: string }
      if (name === 'spar') return version
    } catch { /* look further up */ }
  }
  return 'unknown'
}
