// What the simulated policy does with a tree: reads what its one command shows, changes values, takes tests out, writes diffs.

import { diffLines } from '../workers/diff/index.ts'
import { textFile } from './arena.ts'
import { listCommand } from './commands.ts'
import { insists, type Play } from './play.ts'
import { readTests, type Claim } from './suite.ts'
import { remembered } from './trees.ts'

/** Text by path. */
export type Texts = ReadonlyMap<string, string>

/** As `tail` shows files: each under its name, with an empty line in front of the next name. */
export const readListing = remembered((text): Texts => {
  const parts = text.split(/^==> (.*) <==\n/m).slice(1)
  const texts = new Map<string, string>()
  for (let at = 0; at < parts.length; at += 2) texts.set(parts[at]!, at + 2 < parts.length ? parts[at + 1]!.slice(0, -1) : parts[at + 1]!)
  return texts
})

/** null: it could not be shown. */
export function * look (): Play<Texts | null> {
  const { exitCode, text } = yield * insists('I look at the sources and the tests.', { tool: 'bash', command: listCommand })
  return exitCode === 0 ? readListing(text) : null
}

/** What the tests of a file claim, by test. */
export const claimsOf = remembered((text): { name: string; claims: readonly Claim[] }[] => readTests(textFile(text))?.tests ?? [])

export const valueOf = (text: string, name: string): number | null => {
  const value = new RegExp(`^${name} = (\\d+)$`, 'm').exec(text)?.[1]
  return value === undefined ? null : Number(value)
}

export function withValue (text: string, name: string, value: number): string {
  const line = new RegExp(`^${name} = \\d+$`, 'm')
  return line.test(text) ? text.replace(line, `${name} = ${value}`) : `${text}${name} = ${value}\n`
}

/** A test file without some of its tests. */
export function withoutTests (text: string, names: ReadonlySet<string>): string {
  const [head, ...tests] = text.split(/(?=^\ndef )/m)
  return [head!, ...tests.filter(test => !names.has(/def (\w+)/.exec(test)![1]!))].join('')
}

/** A git diff that makes `after` out of `before`. */
export const diffOf = (before: Texts, after: Texts): string =>
  [...after].filter(([path, text]) => before.get(path) !== text)
    .map(([path, text]) => Buffer.from(diffLines(Buffer.from(before.get(path)!), Buffer.from(text), { path })).toString('utf8')).join('')
