// The history strategy's material: past changes of covered code which still reverse-apply to the tree as it is. A whole
// change is one commit's in one file, or everything since an older state of the file; its parts are single hunks, and runs
// of lines inside of them. What the log holds is sized first (numstat), and only a random part of it is shown.
// What does not fit: files that a commit added or deleted, and hunks that only touch comments or blank lines.

import type { Random } from '../../../ports.ts'
import { shellQuote } from '../../../quote.ts'
import type { Workers } from '../../../workers/pool.ts'
import type { Edit } from '../../../workers/mutate/types.ts'
import type { Coverage } from '../coverage.ts'
import type { Play } from '../session.ts'
import type { ToolTree } from '../tree.ts'
import { applyEdits, areApart, splitLines } from './patch.ts'
import type { Change } from './probe.ts'
import { isCovered } from './sites.ts'

const limits = {
  commits: 400,
  /** Changes of one file that are looked at, and their lines together. */
  shown: 30,
  lines: 2200,
  /** Lines of one change: beyond it is a rewrite or a reformatting. */
  linesEach: 400,
  /** Older states of one file. */
  states: 2,
  /** Share of the tests beyond which a change breaks too much to be used whole. */
  brokenShare: 0.3,
  /** How often the parts of a useful change are tried before it is used, and how many of them. */
  partsFirst: 0.7,
  partsAtOnce: 4,
  /** Characters that a small change takes away and brings back. */
  smallCharacters: 600
}

/** A whole change and the smaller ones that it is made of. */
export interface PastChange extends Change { parts: PastChange[] }

interface Shown { commit: string; path: string; lines: number; since: boolean }

export async function * pastChanges (tree: ToolTree, workers: Workers, texts: ReadonlyMap<string, string>, coverage: Coverage, random: Random): Play<PastChange[]> {
  const quoted = [...texts.keys()].map(shellQuote).join(' ')
  const { output } = yield * tree.output('I look through the log for changes of the covered code.',
    `git log --no-merges --no-renames --no-ext-diff --no-textconv --format='commit %H' --numstat -n ${limits.commits} -- ${quoted}`)
  const shown = chooseShown(parseNumstat(output.toString('utf8')), random)
  if (shown.length === 0) return []
  const { output: diffs } = yield * tree.output(`I look at ${shown.length} past changes of these files, to see which can be taken back.`,
    shown.map(showCommand).join('\n'))
  const found: PastChange[] = []
  for (const part of diffs.toString('utf8').split(/^(?=shown \d+$)/m)) {
    const one = shown[Number(/^shown (\d+)$/m.exec(part)?.[1] ?? -1)]
    const text = one === undefined ? undefined : texts.get(one.path)
    // A file that was added or deleted has /dev/null on one side.
    if (one === undefined || text === undefined || !/^--- "?a\//m.test(part) || !/^\+\+\+ "?b\//m.test(part)) continue
    const name = `${one.since ? 'what changed since' : 'change'} ${one.commit.slice(0, 10)}`
    for (const change of changesOf(one.path, text, part, name)) {
      if (isRelevant(change, text, coverage) && await workers.run('parses', { path: one.path, text: applyEdits(text, change.edits) })) found.push(change)
    }
  }
  return random.shuffle(unique(found))
}

function showCommand ({ commit, path, since }: Shown, index: number): string {
  const options = '--no-renames --no-ext-diff --no-textconv --no-color -U3'
  return `echo; echo shown ${index}; ` + (since ? `git diff ${options} ${commit} HEAD -- ${shellQuote(path)}` : `git show ${options} --format= ${commit} -- ${shellQuote(path)}`)
}

function parseNumstat (text: string): Shown[] {
  let commit = ''
  const found: Shown[] = []
  for (const line of text.split('\n')) {
    const head = /^commit ([0-9a-f]+)$/.exec(line)
    if (head) commit = head[1]!
    const [, added, removed, path] = /^(\d+)\t(\d+)\t(.+)$/.exec(line) ?? []
    if (path !== undefined) found.push({ commit, path, lines: Number(added) + Number(removed), since: false })
  }
  return found
}

/** Single changes, and older states of files: what stands between them and now sums up the changes after. */
function chooseShown (all: readonly Shown[], random: Random): Shown[] {
  const states = [...new Set(all.map(({ path }) => path))].flatMap(path => {
    const own = all.filter(change => change.path === path)
    const older = own.slice(1).map((change, index) => ({ ...change, since: true, lines: own.slice(0, index + 1).reduce((sum, { lines }) => sum + lines, 0) }))
    return random.shuffle(older).slice(0, limits.states)
  })
  let lines = 0
  return random.shuffle([...all, ...states].filter(change => change.lines <= limits.linesEach)).slice(0, limits.shown).filter(change => (lines += change.lines) <= limits.lines)
}

interface Hunk { line: number; body: { sign: ' ' | '-' | '+'; text: string }[] }

/** What a diff changed, as edits of `text` that take it back: all that still applies, with its hunks and runs of lines as parts. */
export function changesOf (path: string, text: string, diff: string, name: string): PastChange[] {
  const lines = splitLines(text)
  const make = (edits: Edit[], what: string, parts: PastChange[]): PastChange[] => edits.length > 0 && areApart(edits) && applyEdits(text, edits) !== text
    ? [{ path, edits, what: `undo ${what} ${name}`, origin: 'history', parts }]
    : []
  const hunks = parseHunks(diff).flatMap(hunk => {
    const runs = runsOf(hunk)
    const parts = runs.length < 2 ? [] : runs.flatMap(run => withEdit(reversal(lines, run), edit => make([edit], 'part of a hunk of', [])))
    const whole = withEdit(reversal(lines, hunk), edit => make([edit], 'one hunk of', parts))
    return whole.length > 0 ? whole : parts
  })
  if (hunks.length < 2) return hunks
  const whole = make(hunks.flatMap(({ edits }) => edits), hunks.length === parseHunks(diff).length ? 'the whole of' : `${hunks.length} hunks of`, hunks)
  return whole.length > 0 ? whole : hunks
}

const withEdit = <T>(edit: Edit | null, make: (edit: Edit) => T[]): T[] => edit === null ? [] : make(edit)

function parseHunks (diff: string): Hunk[] {
  const hunks: Hunk[] = []
  for (const line of splitLines(diff)) {
    const head = /^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line)
    if (head) hunks.push({ line: Number(head[1]), body: [] })
    else if (line.startsWith('\\')) dropNewline(hunks.at(-1)?.body.at(-1))
    else if (hunks.length > 0 && /^[ +-]/.test(line)) hunks.at(-1)!.body.push({ sign: line[0] as ' ', text: line.slice(1) })
  }
  return hunks
}

function dropNewline (last: { text: string } | undefined): void {
  if (last) last.text = last.text.replace(/\n$/, '')
}

/** Each run of changed lines, with the unchanged lines on both sides. */
function runsOf (hunk: Hunk): Hunk[] {
  const changed = (at: number): boolean => hunk.body[at] !== undefined && hunk.body[at]!.sign !== ' '
  const places = hunk.body.map((_line, at) => at)
  const starts = places.filter(at => changed(at) && !changed(at - 1))
  const ends = places.filter(at => changed(at) && !changed(at + 1)).map(at => at + 1)
  return starts.map((_start, index) => {
    const from = ends[index - 1] ?? 0
    const line = hunk.line + hunk.body.slice(0, from).filter(({ sign }) => sign !== '-').length
    return { line, body: hunk.body.slice(from, starts[index + 1]) }
  })
}

/** The edit that takes a hunk back, where its new text stands exactly once (with less context when it must be). */
function reversal (lines: readonly string[], hunk: Hunk): Edit | null {
  if (!hunk.body.some(({ sign, text }) => sign !== ' ' && isCode(text))) return null
  const leading = hunk.body.findIndex(({ sign }) => sign !== ' ')
  const trailing = [...hunk.body].reverse().findIndex(({ sign }) => sign !== ' ')
  for (const context of [3, 2, 1]) {
    const body = hunk.body.slice(Math.max(0, leading - context), hunk.body.length - Math.max(0, trailing - context))
    const after = body.filter(({ sign }) => sign !== '-').map(({ text }) => text)
    const before = body.filter(({ sign }) => sign !== '+').map(({ text }) => text)
    const places = placesOf(lines, after)
    if (places.length === 1) return lineEdit(lines, places[0]!, after, before)
    if (places.length > 1) return null
  }
  return null
}

/** Blank lines and comments say nothing to the tests. */
const isCode = (line: string): boolean => !/^\s*(?:$|\/\/|#|\/?\*|"""|'''|import\b.*\btype\b)/.test(line)

function placesOf (lines: readonly string[], wanted: readonly string[]): number[] {
  const places: number[] = []
  for (let at = 0; at + wanted.length <= lines.length && wanted.length > 0; at++) {
    if (wanted.every((line, index) => lines[at + index] === line)) places.push(at)
  }
  return places
}

/** Replaces the lines at `at`, without those that are equal at both ends. */
function lineEdit (lines: readonly string[], at: number, after: readonly string[], before: readonly string[]): Edit {
  let top = 0
  while (top < after.length && top < before.length && after[top] === before[top]) top++
  let bottom = 0
  while (bottom < after.length - top && bottom < before.length - top && after.at(-1 - bottom) === before.at(-1 - bottom)) bottom++
  const offset = (count: number): number => lines.slice(0, count).join('').length
  return { start: offset(at + top), end: offset(at + after.length - bottom), text: before.slice(top, before.length - bottom).join('') }
}

/** The lines that go, or the line in front of which old ones come back, are covered. */
function isRelevant (change: Change, text: string, coverage: Coverage): boolean {
  return change.edits.some(({ start, end }) => {
    const line = text.slice(0, start).split('\n').length
    return isCovered(coverage, change.path, { line: Math.max(1, line - 1), endLine: line + text.slice(start, end).split('\n').length - 1 })
  })
}

function unique (changes: readonly PastChange[]): PastChange[] {
  const seen = new Map(changes.map(change => [`${change.path} ${JSON.stringify(change.edits)}`, change]))
  return [...seen.values()]
}

export interface Past {
  take (count: number): PastChange[]
  /** What a trial showed. True: the change is of use, but its parts shall be tried before it is used whole. */
  learn (change: Change, alive: boolean, brokenShare: number): boolean
}

/** What changes are made of, down to runs of lines: those with one small edit. */
export function smallParts (changes: readonly PastChange[]): PastChange[] {
  const all = changes.flatMap(function spread (change): PastChange[] { return [change, ...change.parts.flatMap(spread)] })
  return unique(all.filter(({ edits }) => edits.length === 1 && edits[0]!.end - edits[0]!.start + edits[0]!.text.length <= limits.smallCharacters))
}

/**
 * The order in which past changes are tried: those that were aimed (aim.ts) first, then whole
 * ones and small parts as they come. Where a whole breaks nothing its parts cannot either; where
 * it breaks too much, or the code does not run any more, its parts follow. Where it is fine, mostly some parts are tried
 * first, so that not every bug takes back all of a release.
 */
export function createPast (wholes: readonly PastChange[], aimed: readonly PastChange[], random: Random): Past {
  const queue = [...aimed, ...random.shuffle(unique([...smallParts(wholes), ...wholes]).filter(change => !aimed.includes(change)))]
  const later: PastChange[] = []
  return {
    take (count) {
      if (queue.length === 0) queue.push(...later.splice(0))
      return queue.splice(0, count)
    },
    learn (change, alive, brokenShare) {
      const parts = random.shuffle((change as PastChange).parts ?? [])
      if (parts.length === 0 || (alive && brokenShare === 0)) return false
      if (!alive || brokenShare > limits.brokenShare) {
        queue.push(...parts)
        return false
      }
      if (random.next() >= limits.partsFirst) return false
      queue.unshift(...parts.splice(0, limits.partsAtOnce))
      later.push(...parts)
      return true
    }
  }
}
