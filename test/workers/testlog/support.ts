// The recorded logs: real runs of real runners over awkward tests, without machine paths. Beside each `case.log` stands
// `case.json`: how to read it, and what a structured report of the same run says (its own JSON or XML reporter, or hooks
// of the runner), so that our readers are not their own judge. `problems` are the codes that the text cannot avoid.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLogReader, readTestLog, type LogOptions, type LogReading } from '../../../src/workers/testlog/index.ts'

export const logs = join(process.cwd(), 'test/workers/testlog/logs')

export interface Recorded { name: string; log: Buffer; options: LogOptions; tests: Record<string, string>; suites: Record<string, string>; problems: string[] }

export function recorded (): Recorded[] {
  return readdirSync(logs, { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.json')).sort().map(path => {
    const { tests, suites = {}, problems, ...options } = JSON.parse(readFileSync(join(logs, path), 'utf8')) as LogOptions & Omit<Recorded, 'options'>
    return { name: path.replace(/\.json$/, ''), log: readFileSync(join(logs, path.replace(/\.json$/, '.log'))), options, tests, suites: suites ?? {}, problems }
  })
}

export const sorted = (map: Iterable<[string, string]>): Record<string, string> => Object.fromEntries([...map].sort(([a], [b]) => a < b ? -1 : 1))

/** In one value, to be compared. */
export const plain = ({ tests, suites, problems }: LogReading): object => ({
  tests: sorted(tests), suites: sorted(suites.map(({ name, status }) => [name, status])), problems: [...new Set(problems.map(({ code }) => code))].sort()
})

export const read = (text: string | Uint8Array, options: LogOptions): LogReading => readTestLog(typeof text === 'string' ? Buffer.from(text) : text, options)

/** Fed in pieces of these sizes, in turns. */
export function readInPieces (log: Uint8Array, options: LogOptions, sizes: readonly number[]): LogReading {
  const reader = createLogReader(options)
  for (let at = 0, turn = 0; at < log.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length]!)
    reader.write(log.subarray(at, at + size))
    at += size
  }
  return reader.end()
}
