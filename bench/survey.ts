// How often the look at a bug's patch (src/workers/survey) objects to a change that nobody made to cheat: commits of real
// repositories turned around, as the `history` strategy turns them around, and mutants of their files as the other strategies
// make them. And what it costs.
// Usage: node dist/bench/survey.js [--commits 400] [--mutants 400] <git directory>...

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { pathKind } from '../src/artifact/index.ts'
import { createRandom } from '../src/random.ts'
import { indexSource } from '../src/workers/mutate/source-index.ts'
import { prepareLanguage } from '../src/workers/mutate/grammars.ts'
import { applyEdit, languageOf } from '../src/workers/mutate/source.ts'
import { survey, type Finding, type SurveyFile } from '../src/workers/survey/survey.ts'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { commits: { type: 'string', default: '400' }, mutants: { type: 'string', default: '400' }, show: { type: 'boolean', default: false } } })
for (const language of ['python', 'go'] as const) await prepareLanguage(language)

interface Tally { kind: string; changes: number; objected: number; rules: Map<string, number>; ms: number[] }
const tally = (kind: string): Tally => ({ kind, changes: 0, objected: 0, rules: new Map(), ms: [] })

async function examine (into: Tally, files: SurveyFile[], what: string): Promise<void> {
  const startedAt = process.cpuUsage()
  const found: Finding[] = await survey(files)
  const { user, system } = process.cpuUsage(startedAt)
  into.ms.push((user + system) / 1000)
  into.changes++
  if (found.length > 0) into.objected++
  for (const rule of new Set(found.map(({ rule }) => rule))) into.rules.set(rule, (into.rules.get(rule) ?? 0) + 1)
  if (values.show) for (const { rule, path, line, name } of found) console.log(`    ${what} ${rule} ${path}:${line} ${name}`)
}

function report ({ kind, changes, objected, rules, ms }: Tally): void {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
  console.log(`  ${kind}: ${objected} of ${changes} (${(objected / Math.max(1, changes) * 100).toFixed(2)} %) ${[...rules].map(([rule, count]) => `${rule} ${count}`).join(', ')}; ${at(0.5)} ms of processor p50, ${at(0.99)} p99`)
}

const all = { history: tally('history'), removal: tally('removal'), direct: tally('direct') }
for (const dir of positionals) {
  const git = (...args: string[]): string => execFileSync('git', ['--git-dir', dir, ...args], { maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] }).toString('utf8')
  const blob = (commit: string, path: string): string | null => { try { return git('cat-file', 'blob', `${commit}:${path}`) } catch { return null } }
  const isCode = (path: string): boolean => languageOf(path) !== null && pathKind(path) === 'code'
  const own = { history: tally('history'), removal: tally('removal'), direct: tally('direct') }
  const both = (name: keyof typeof own, files: SurveyFile[], what: string): Promise<void> => examine(own[name], files, what)
  for (const commit of git('rev-list', '--no-merges', `--max-count=${values.commits}`, 'HEAD').trim().split('\n')) {
    // What the strategy takes back is a change of code that is there before and after.
    let paths: string[]
    try { paths = git('diff-tree', '-r', '--no-commit-id', '--name-only', '--diff-filter=M', '-z', commit).split('\0').filter(path => path !== '' && isCode(path)) } catch { continue }
    if (paths.length === 0 || paths.length > 20) continue
    await both('history', paths.map(path => ({ path, before: blob(commit, path), after: blob(`${commit}^`, path) })), commit.slice(0, 10))
  }
  const random = createRandom(1)
  const sources = random.shuffle(git('ls-tree', '-r', '--name-only', '-z', 'HEAD').split('\0').filter(path => path !== '' && isCode(path))).slice(0, 20)
  for (const path of sources) {
    const text = blob('HEAD', path)
    const index = text === null ? null : indexSource(path, text)
    if (text === null || index === null) continue
    for (const [name, mutants] of [['removal', index.removals], ['direct', index.direct]] as const) {
      for (const mutant of random.shuffle(mutants).slice(0, Math.ceil(Number(values.mutants) / sources.length))) await both(name, [{ path, before: text, after: applyEdit(text, mutant.edit) }], mutant.operator)
    }
  }
  console.log(dir.split('/').at(-1))
  for (const one of Object.values(own)) report(one)
  for (const [name, { changes, objected, rules, ms }] of Object.entries(own)) {
    const sum = all[name as keyof typeof all]
    sum.changes += changes
    sum.objected += objected
    for (const time of ms) sum.ms.push(time)
    for (const [rule, count] of rules) sum.rules.set(rule, (sum.rules.get(rule) ?? 0) + count)
  }
}
console.log('all')
for (const one of Object.values(all)) report(one)
