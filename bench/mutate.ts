// How many mutants a second come out of one large file, each with its hunk, beside comparing whole texts: `git diff
// --no-index` of the file and its mutant, in the same run. With --recall and folders: how much of what the removal
// operators take out the repair candidates put back.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../src/random.ts'
import { prepareLanguage } from '../src/workers/mutate/grammars.ts'
import { hunkOf } from '../src/workers/mutate/hunk.ts'
import { removalOperators } from '../src/workers/mutate/removals.ts'
import { repairCandidates } from '../src/workers/mutate/repair.ts'
import { indexSource } from '../src/workers/mutate/source-index.ts'
import { applyEdit, languageOf } from '../src/workers/mutate/source.ts'
import { lineStartsOf } from '../src/workers/mutate/syntax.ts'
import type { Mutant } from '../src/workers/mutate/types.ts'

const [flag, ...folders] = process.argv.slice(2)
if (flag === '--recall') await recall(folders)
else speed()

// ---- speed ----------------------------------------------------------------------------------------------------------

function speed (): void {
  const large = readFileSync(createRequire(import.meta.url).resolve('acorn').replace(/\.mjs$/, '.js'), 'utf8')
  for (let warm = 0; warm < 3; warm++) emit(large)
  const started = process.hrtime.bigint()
  const rounds = 5
  let mutants = 0
  let characters = 0
  for (let round = 0; round < rounds; round++) {
    const found = emit(large)
    mutants += found.mutants
    characters += found.characters
  }
  const ours = mutants / (Number(process.hrtime.bigint() - started) / 1e9)
  const baseline = gitPerSecond(large)
  console.log(`mutate: ${Math.round(ours)} mutants/s with hunks from one file of ${Math.round(large.length / 1000)} KB (${mutants / rounds} mutants, ${Math.round(characters / rounds / 1000)} KB of hunks)`)
  console.log(`baseline git diff --no-index: ${Math.round(baseline)} mutants/s; ratio ${Math.round(ours / baseline)}; mark: at least 100000 mutants/s`)
}

function emit (text: string): { mutants: number; characters: number } {
  const index = indexSource('large.js', text)
  if (!index) throw new Error('the large file does not parse')
  const lineStarts = lineStartsOf(text)
  let characters = 0
  const mutants = [...index.removals, ...index.direct]
  for (const { edit } of mutants) characters += hunkOf(text, lineStarts, edit).length
  return { mutants: mutants.length, characters }
}

function gitPerSecond (text: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'bench-mutate-'))
  const mutants = createRandom(1).shuffle(indexSource('large.js', text)!.direct).slice(0, 40)
  const before = join(folder, 'before.js')
  const after = join(folder, 'after.js')
  writeFileSync(before, text)
  const started = process.hrtime.bigint()
  for (const { edit } of mutants) {
    writeFileSync(after, applyEdit(text, edit))
    spawnSync('git', ['diff', '--no-index', '--no-color', before, after])
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  rmSync(folder, { recursive: true })
  return mutants.length / seconds
}

// ---- recall ---------------------------------------------------------------------------------------------------------

const limits = [50, 200, 1000]
const perOperator = 8
const small = new Set<string>(['remove negation', 'remove operand', 'remove continue', 'remove break', 'remove increment', 'remove assignment', 'remove call', 'remove throw', 'remove return', 'remove guard', 'remove if', 'remove else', 'remove branch', 'remove condition'])

async function recall (roots: string[]): Promise<void> {
  const rows = new Map<string, number[]>()
  const random = createRandom(1)
  for (const root of roots.length > 0 ? roots : [execFileSync('npm', ['root'], { encoding: 'utf8' }).trim() + '/undici/lib']) {
    const sources = filesUnder(root).map(path => ({ path, text: readFileSync(path, 'utf8') })).filter(source => source.text.length < 150_000)
    for (const source of sources) await prepareLanguage(languageOf(source.path))
    const sites = sources.flatMap(source => (indexSource(source.path, source.text)?.removals ?? []).map(removal => ({ source, removal })))
    for (const operator of removalOperators) {
      for (const { source, removal } of random.shuffle(sites.filter(site => site.removal.operator === operator)).slice(0, perOperator)) {
        const corpus = random.shuffle(sources.filter(other => other !== source)).slice(0, 20)
        count(rows, operator, rankOf(source, removal, corpus))
      }
    }
  }
  const share = (names: string[]): Record<string, number> => {
    const [total = 0, ...hits] = names.map(name => rows.get(name)!).reduce((sum, row) => sum.map((value, index) => value + row[index]!), [0, 0, 0, 0])
    return { sites: total, ...Object.fromEntries(limits.map((limit, index) => [`@${limit} %`, Math.round(100 * hits[index]! / Math.max(1, total))])) }
  }
  const names = [...rows.keys()]
  console.table({ ...Object.fromEntries(names.map(name => [name, share([name])])), 'small removals': share(names.filter(name => small.has(name))), all: share(names) })
}

function count (rows: Map<string, number[]>, operator: string, rank: number): void {
  const row = rows.get(operator) ?? [0, 0, 0, 0]
  row[0]!++
  limits.forEach((limit, index) => { if (rank >= 0 && rank < limit) row[index + 1]!++ })
  rows.set(operator, row)
}

/** Place of the first candidate that restores the text, white space, semicolons and braces aside; -1 without one. */
function rankOf (source: { path: string; text: string }, removal: Mutant, corpus: { path: string; text: string }[]): number {
  const text = applyEdit(source.text, removal.edit)
  const last = removal.line + removal.edit.text.split('\n').length - 1
  const suspicion: Record<number, number> = {}
  for (let line = removal.line - 3; line <= last + 3; line++) suspicion[line] = 1 - 0.2 * Math.max(0, removal.line - line, line - last)
  const { candidates } = repairCandidates({ path: source.path, text, suspicion, corpus, hints: [], seed: 1, limit: 1000 })
  const strip = (whole: string): string => whole.replace(/[\s;{}]+/g, '')
  const wanted = strip(source.text)
  const missing = wanted.length - strip(text).length
  return candidates.findIndex(({ edit }) => strip(edit.text).length - strip(text.slice(edit.start, edit.end)).length === missing && strip(applyEdit(text, edit)) === wanted)
}

function filesUnder (root: string): string[] {
  const names = statSync(root).isDirectory() ? (readdirSync(root, { recursive: true }) as string[]).map(name => join(root, name)) : [root]
  return names.filter(name => languageOf(name) !== null && statSync(name).isFile() && !/\btests?\b|_test\.|\.test\./.test(name.slice(root.length)))
}
