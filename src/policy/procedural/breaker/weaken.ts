// Hides the bug: deletes the tests that fail, whole blocks where their place is known, so that what is left passes and
// every test file still loads. Rounds of deleting and running, because a group can fail for its member's sake: the
// smallest blocks go first, then the ones around them.

import type { TestMap } from '../../../domain.ts'
import type { Edit } from '../../../workers/mutate/types.ts'
import { withoutSpan } from '../../../workers/mutate/edits.ts'
import { statementsOf, type SyntaxNode } from '../../../workers/mutate/syntax.ts'
import { idsWith, printCommand, readRuns, type TestRun } from '../test-run.ts'
import { patternQuote, shellQuote } from '../../../quote.ts'
import type { Play } from '../session.ts'
import type { ToolTree } from '../tree.ts'
import { statusOf, withStatus } from '../../../verify/compare.ts'
import { applyEdits, patchOf, splitLines } from './patch.ts'
import { applyCommand, suiteRun } from './probe.ts'
import type { BugDraft } from './search.ts'
import { fileOf, type Suite } from './suite.ts'
import { parseTests, statementOf, type TestBlock, type TestSource } from './test-blocks.ts'

const rounds = 5
/** Runners for which a suite without tests is an error. */
const refusesEmptySuites: ReadonlySet<string> = new Set(['vitest'])

export interface Weakening { paths: string[]; results: TestMap; hidden: string[] }

/** The bug is in the tree. A string says why it cannot be hidden. */
export async function * weaken (tree: ToolTree, suite: Suite, bug: BugDraft): Play<Weakening | string> {
  const texts = yield * tree.read(suite.testFiles, 'I read the test files, to find the tests that notice the bug.')
  const sources = new Map<string, TestSource>()
  for (const [path, text] of texts) {
    const parsed = text === null ? null : await parseTests(path, text)
    if (parsed !== null) sources.set(path, parsed)
  }
  const doomed = new Map<string, Set<TestBlock>>()
  let run = bug.effect.run
  for (let round = 0; round < rounds; round++) {
    const failing = idsWith(run.results, 'failed')
    if (failing.length === 0) break
    const before = size(doomed)
    choose(failing, run.log, suite, sources, doomed, round > 0)
    if (size(doomed) === before) break
    if (refusesEmptySuites.has(suite.runner.name)) for (const [path, blocks] of doomed) addEmptied(sources.get(path)!.blocks, blocks)
    const patches = [...doomed].map(([path, blocks]) => patchOf(path, sources.get(path)!.text, deletions(sources.get(path)!, blocks)))
    const names = [...doomed.keys()]
    run = yield * runNow(tree, suite, `I delete the failing tests from ${names.join(', ')}, and run what is left.`,
      `${restoreTests(tree, names)}\n${applyCommand(tree, patches.join(''), names)}`)
  }
  return judge(bug, suite, run, [...doomed.keys()])
}

const size = (doomed: Map<string, Set<TestBlock>>): number => [...doomed.values()].reduce((sum, blocks) => sum + blocks.size, 0)

function judge (bug: BugDraft, suite: Suite, run: TestRun, paths: string[]): Weakening | string {
  const results = run.results ?? {}
  if (run.stuck || run.results === null || paths.length === 0) return 'The failing tests cannot be found in the test files.'
  // By the rule of verification: where the runner complains for another reason, what is gone counts as broken.
  const hidden = withStatus(statusOf(bug.effect.failing, run, { exitCode: 0, testFiles: suite.testFiles }), 'passed', 'gone')
  const left = bug.effect.passing.filter(id => results[id] === 'passed')
  if (hidden.length === 0 || left.length === 0) return 'The bug cannot be hidden without losing all tests.'
  if (left.length < bug.effect.passing.length / 2) return 'With the failing tests deleted too few of the others run.'
  return hidden.length < bug.effect.failing.length / 2 ? 'Too many tests still notice the bug.' : { paths, results, hidden }
}

async function * runNow (tree: ToolTree, suite: Suite, why: string, first: string): Play<TestRun> {
  const into = `${tree.task.scratch}/runs/weakened`
  const { output } = yield * tree.output(why, `rm -rf ${shellQuote(into)}\n${first}\n[ $? = 0 ] && { ${suiteRun(suite, into)}; } 1>&2\n${printCommand(into)}`)
  return readRuns(output, [into])[0]!
}

const restoreTests = (tree: ToolTree, paths: readonly string[]): string =>
  paths.map(path => { const kept = shellQuote(`${tree.task.scratch}/original/${path}`); return `[ ! -e ${kept} ] || cp -p ${kept} ${shellQuote(path)}` }).join('; ')

// ---- which blocks ---------------------------------------------------------------------------------------------------

/** Adds blocks for the failing ids. `wider`: a block that was deleted already did not help, so the one around it goes. */
function choose (failing: readonly string[], log: string, suite: Suite, sources: Map<string, TestSource>, doomed: Map<string, Set<TestBlock>>, wider: boolean): void {
  const leaves = failing.filter(id => !failing.some(other => other !== id && (other.startsWith(`${id} > `) || other.startsWith(`${id}/`))))
  for (const id of leaves) {
    const named = fileOf(id, suite.testFiles)
    for (const path of named === null ? suite.testFiles : [named]) {
      const tests = sources.get(path)
      if (tests === undefined) continue
      const gone = doomed.get(path) ?? new Set()
      const found = blocksFor(tests, named === null ? id : id.slice(path.length + 2), log)
      const fresh = found.flatMap(block => gone.has(block) ? wider && block.parent !== null && !gone.has(block.parent) ? [block.parent] : [] : [block])
      if (fresh.length === 0) continue
      doomed.set(path, new Set([...gone, ...fresh]))
      break
    }
  }
}

/** Suites of which every test goes. */
export function addEmptied (all: readonly TestBlock[], gone: Set<TestBlock>): void {
  for (const block of gone) {
    const { parent } = block
    if (parent !== null && all.every(other => other.parent !== parent || gone.has(other))) gone.add(parent)
  }
}

/** The blocks that an id names: by its whole path, by its last part, or by a line of the log. */
export function blocksFor (tests: TestSource, id: string, log: string): TestBlock[] {
  const segments = segmentsOf(tests, id)
  const last = segments.at(-1)!
  const exact = tests.blocks.filter(block => pathMatches(block, segments))
  if (exact.length > 0) return exact
  const byName = smallest(tests.blocks.filter(block => matches(block, last) || matches(block, id)))
  if (byName.length > 0) return byName
  const byLine = linesIn(tests.path, log).map(line => innermost(tests.blocks, line)).filter(block => block !== null)
  if (byLine.length > 0) return [...new Set(byLine)]
  const unnamed = tests.blocks.filter(block => block.pattern === null && (segments.length === 1 || block.parent === null || ancestors(block).some(one => segments.some(segment => matches(one, segment)))))
  if (unnamed.length > 0) return smallest(unnamed)
  return tests.blocks.filter(block => segments.slice(0, -1).some(segment => matches(block, segment)) && block.parent === null)
}

function segmentsOf (tests: TestSource, id: string): string[] {
  if (tests.source.language === 'python') return id.replace(/\[[^]*$/, '').split(/::|\./)
  return tests.source.language === 'go' ? [id.split('/')[0]!] : id.split(' > ')
}

const matches = (block: TestBlock, title: string): boolean => block.pattern !== null && new RegExp(`^\\s*${block.pattern}\\s*$`, 's').test(title)

const ancestors = (block: TestBlock): TestBlock[] => block.parent === null ? [] : [block.parent, ...ancestors(block.parent)]

function pathMatches (block: TestBlock, segments: readonly string[]): boolean {
  const chain = [block, ...ancestors(block)]
  return chain.length === segments.length && chain.every((one, index) => one.pattern !== null && matches(one, segments[segments.length - 1 - index]!))
}

/** Those that hold none of the others. */
const smallest = (blocks: readonly TestBlock[]): TestBlock[] => blocks.filter(block => !blocks.some(other => other !== block && ancestors(other).includes(block)))

/** Line numbers that the log gives for a file. */
function linesIn (path: string, log: string): number[] {
  const name = patternQuote(path.split('/').at(-1)!)
  return [...log.matchAll(new RegExp(`${name}(?::|", line )(\\d+)`, 'g'))].map(match => Number(match[1]))
}

function innermost (blocks: readonly TestBlock[], line: number): TestBlock | null {
  const around = blocks.filter(block => block.line <= line && line <= block.endLine)
  return around.sort((a, b) => (a.end - a.start) - (b.end - b.start))[0] ?? null
}

// ---- deleting -------------------------------------------------------------------------------------------------------

/** Edits that delete blocks with the comments above them; a Python class that holds nothing else goes as a whole, if it can. */
export function deletions (tests: TestSource, blocks: ReadonlySet<TestBlock>): Edit[] {
  const spans: Span[] = [...blocks].map(({ start, end }) => ({ start, end }))
  const emptied = tests.source.language === 'python' ? emptiedClasses(tests, spans) : []
  const kept = emptied.filter(({ isUsed }) => isUsed)
  spans.push(...emptied.filter(({ isUsed }) => !isUsed).map(({ whole }) => whole))
  const outer = spans.filter((span, index) => !spans.some((other, at) => at !== index && holds(other, span) && (!holds(span, other) || at < index)))
  const edits = outer.map(span => kept.some(({ last }) => holds(span, last) && holds(last, span))
    ? { start: span.start, end: span.end, text: 'pass' }
    : withAbove(tests, withoutSpan(tests.text, span.start, span.end)))
  const { language } = tests.source
  return joined([...edits, ...language === 'go' ? unusedImports(tests, edits) : language === 'python' ? orphanedImports(tests, edits) : []])
}

interface Span { start: number; end: number }

const holds = (outer: Span, inner: Span): boolean => outer.start <= inner.start && inner.end <= outer.end

/** Edits that touch become one. */
function joined (edits: readonly Edit[]): Edit[] {
  const result: Edit[] = []
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    const before = result.at(-1)
    if (before && edit.start <= before.end) result[result.length - 1] = { start: before.start, end: Math.max(before.end, edit.end), text: before.text + edit.text }
    else result.push(edit)
  }
  return result
}

/** Takes the comment lines right above along, and one blank line. */
function withAbove (tests: TestSource, edit: Edit): Edit {
  if (edit.text !== '' || (edit.start > 0 && tests.text[edit.start - 1] !== '\n')) return edit
  const above = splitLines(tests.text.slice(0, edit.start))
  let start = edit.start
  const isComment = (line: string): boolean => tests.source.language === 'python' ? /^\s*#/.test(line) : /^\s*(\/\/|\/?\*)/.test(line)
  while (above.length > 0 && isComment(above.at(-1)!) && above.length > 1 && !/^#!/.test(above.at(-1)!)) start -= above.pop()!.length
  // The comment at the head of a file says more than one test.
  if (above.length > 0 && above.every(line => line.trim() === '')) start = edit.start
  // At the end of the file the blank lines before it go.
  if (tests.text.slice(edit.end).trim() === '') {
    while (above.length > 1 && above.at(-1)!.trim() === '') start -= above.pop()!.length
    return { start, end: edit.end, text: '' }
  }
  const blank = /^[ \t]*\r?\n/.exec(tests.text.slice(edit.end))
  return { start, end: edit.end + (blank && above.length > 0 && above.at(-1)!.trim() === '' ? blank[0].length : 0), text: '' }
}

/** Classes of which every statement but the docstring goes. One that the rest of the file names (a base class) must stay. */
function emptiedClasses (tests: TestSource, spans: readonly Span[]): { whole: Span; last: Span; isUsed: boolean }[] {
  const isGone = (node: SyntaxNode): boolean => spans.some(span => holds(span, node))
  return tests.source.units.filter(({ kind }) => kind === 'class').flatMap(unit => {
    const body = unit.node.children.find(({ role }) => role === 'body')
    const members = (body === undefined ? unit.node.children.filter(({ role }) => role === 'member') : statementsOf(body)).filter(({ kind }) => kind !== 'directive')
    const last = members.at(-1)
    if (last === undefined || !members.every(isGone)) return []
    const { start, end } = statementOf(unit.node)
    const elsewhere = tests.text.slice(0, start) + tests.text.slice(end)
    return [{ whole: { start, end }, last, isUsed: new RegExp(`\\b${unit.name}\\b`).test(elsewhere) }]
  })
}

/** An imported test class is collected on its own: it goes with the last class that was made from it. */
function orphanedImports (tests: TestSource, edits: readonly Edit[]): Edit[] {
  const left = applyEdits(tests.text, joined(edits))
  return [...tests.text.matchAll(/^from[ \t]+\S+[ \t]+import[ \t]+(Test\w*)[ \t]*\r?\n/gm)].flatMap(match => {
    const uses = (text: string): number => text.match(new RegExp(`\\b${match[1]!}\\b`, 'g'))?.length ?? 0
    return uses(tests.text) > 1 && uses(left) === 1 ? [{ start: match.index, end: match.index + match[0].length, text: '' }] : []
  })
}

/** Go refuses a file that imports what it does not use. */
function unusedImports (tests: TestSource, edits: readonly Edit[]): Edit[] {
  const left = applyEdits(tests.text, joined(edits))
  const body = left.replace(/^import\s*\([^)]*\)|^import\s+.*$/gm, '')
  return [...tests.text.matchAll(/^[ \t]*(?:import[ \t]+)?(?:(\w+)[ \t]+)?"([^"\n]+)"[ \t]*\r?\n/gm)].flatMap(match => {
    const name = match[1] ?? match[2]!.replace(/\/v\d+$/, '').split('/').at(-1)!.replace(/^go-|[.-]go$/g, '')
    const used = name === '_' || name === '.' || new RegExp(`\\b${name}\\.`).test(body)
    const isImport = tests.text.lastIndexOf('import', match.index) !== -1 && match.index < tests.text.search(/^func /m)
    return used || !isImport ? [] : [{ start: match.index, end: match.index + match[0].length, text: '' }]
  })
}
