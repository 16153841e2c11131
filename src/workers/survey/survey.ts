// What a bug puts into files beyond being a bug: the files as they were, held against the files as they are with it. Nothing
// runs. A name that one of the files had before is never found, and a file that did not parse before says nothing.

import { nestsDeeper } from '../mutate/grammars.ts'
import { languageOf, parseSource, parses, sourceBytesMax, type Source } from '../mutate/source.ts'
import { lineAt } from '../mutate/syntax.ts'
import { copyIn, goneFrom, layersOf, type Layers } from './copies.ts'
import type { Rule } from './tables.ts'
import { usesOf, type Use } from './uses.ts'

/** `null`: there is no such file. A renamed file has its new path. */
export interface SurveyFile { path: string; before: string | null; after: string | null }
export interface Finding {
  rule: Rule
  path: string
  line: number
  /** What was found: a name of the tables, or a line of the original. */
  name: string
  /** The line, without the white space around it. */
  text: string
}

interface Read { file: SurveyFile; before: Source | null; after: Source | null; layers: { before: Layers | null; after: Layers | null } }

/** Syntax that nests deeper is handed to no parser of native code, which has no room for three times as much. */
const depthMax = 1000
/** What adds fewer characters cannot nest deeper by more. */
const addedCharsMin = 1500

/** Parsers of Python and Go must be loaded. */
export async function survey (files: readonly SurveyFile[]): Promise<Finding[]> {
  const found: Finding[] = []
  const safe: SurveyFile[] = []
  for (const file of files) {
    const depth = await depthOf(file)
    if (depth === 'fits') safe.push(file)
    else if (depth === 'deep') found.push(withText(file)({ rule: 'size', line: 1, name: `deeper than ${depthMax}` }))
  }
  return [...found, ...surveyParsed(safe)]
}

/** `unknown`: neither side can be read, so nothing is said of the file. */
async function depthOf ({ path, before, after }: SurveyFile): Promise<'fits' | 'deep' | 'unknown'> {
  const name = languagesOf(path)[0] ?? path
  const language = languageOf(name)
  if (after === null || (language !== 'javascript' && language !== 'typescript') || after.length > sourceBytesMax) return 'fits'
  const added = addedText(before ?? '', after)
  if (added.length < addedCharsMin) return 'fits'
  const deeper = await nestsDeeper(name, after, depthMax)
  if (deeper !== null) return deeper ? 'deep' : 'fits'
  // What is no syntax nests no deeper than it has words that may nest.
  if ((added.match(nesting)?.length ?? 0) < depthMax) return 'fits'
  return before !== null && await nestsDeeper(name, before, depthMax) === null ? 'unknown' : 'deep'
}

const nesting = /=>|[([{!~?:+\-*/%&|^<>=.`]|\b(?:if|else|for|while|do|new|typeof|void|delete|await|yield|with|async|function|class|in|of|instanceof|as)\b/g

function addedText (before: string, after: string): string {
  const had = new Map<string, number>()
  for (const line of before.split('\n')) had.set(line, (had.get(line) ?? 0) + 1)
  return after.split('\n').filter(line => {
    const left = had.get(line) ?? 0
    had.set(line, left - 1)
    return left <= 0
  }).join('\n')
}

function surveyParsed (files: readonly SurveyFile[]): Finding[] {
  const broken = files.flatMap(file => [...brokenSyntax(file), ...unreadable(file)].map(withText(file)))
  if (!files.some(adds)) return broken
  const read = files.map(readFile)
  const known = new Set(read.flatMap(({ before }) => before === null ? [] : usesOf(before).map(nameOf)))
  const gone = goneFrom(...(['before', 'after'] as const).map(side => read.flatMap(({ layers }) => layers[side] ?? [])) as [Layers[], Layers[]])
  return [...broken, ...read.flatMap(one => [...newUses(one, known), ...keptCopies(one, gone)].map(withText(one.file)))]
}

/** Whether a file has a line that it had not: what only takes away brings nothing in. */
function adds ({ before, after }: SurveyFile): boolean {
  const had = new Set(before?.split('\n'))
  return after !== null && after.split('\n').some(line => line.trim() !== '' && !had.has(line))
}

const withText = ({ path, after }: SurveyFile) => (found: Found): Finding =>
  ({ ...found, path, text: (after!.split('\n')[found.line - 1] ?? '').trim().slice(0, nameCharsMax) })

type Found = Omit<Finding, 'path' | 'text'>

function readFile (file: SurveyFile): Read {
  const { path, before, after } = file
  const [first, second] = [before, after].map(text => text === null ? null : parsed(path, text)) as [Source | null, Source | null]
  // What is in no language is read as text; what does not parse is not read at all.
  const isText = languageOf(path) === null
  const layers = (text: string | null, source: Source | null): Layers | null => text === null || (source === null && !isText) ? null : layersOf(text, source)
  return { file, before: first, after: second, layers: { before: layers(before, first), after: layers(after, second) } }
}

/** Names to read a file by: one without an ending is what it parses as, since `require` and shebangs take it as that. */
const languagesOf = (path: string): string[] => languageOf(path) !== null ? [path] : /^[^.]+$/.test(path.split('/').at(-1)!) ? [`${path}.js`, `${path}.py`] : []

/** Null as well for a text that nests too deep for a stack. */
function parsed (path: string, text: string): Source | null {
  for (const name of languagesOf(path)) {
    const source = unlessTooDeep(() => parseSource(name, text), null)
    if (source !== null) return source
  }
  return null
}

function unlessTooDeep<Value> (read: () => Value, otherwise: Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError) return otherwise
    throw error
  }
}

/** A file that could be read before, or is new, and cannot be any more: not because it is broken. */
function unreadable ({ path, before, after }: SurveyFile): Found[] {
  if (after === null || languageOf(path) === null || (before !== null && before.length > sourceBytesMax)) return []
  const isTooDeep = unlessTooDeep(() => { parseSource(path, after); return false }, true)
  const wasTooDeep = isTooDeep && before !== null && unlessTooDeep(() => { parseSource(path, before); return false }, true)
  return after.length > sourceBytesMax || (isTooDeep && !wasTooDeep) ? [{ rule: 'size', line: 1, name: `${after.length} characters` }] : []
}

const nameOf = ({ rule, name }: Use): string => `${rule} ${name}`

function brokenSyntax ({ path, before, after }: SurveyFile): Found[] {
  if (before === null || after === null || languageOf(path) === null || isSound(path, after) || !isSound(path, before)) return []
  return [{ rule: 'syntax', line: firstDifference(before, after), name: path }]
}

/** What nests too deep is not called broken. */
const isSound = (path: string, text: string): boolean => text.trim() === '' || text.length > sourceBytesMax || unlessTooDeep(() => parses(path, text), true)

function firstDifference (before: string, after: string): number {
  const [old, lines] = [before.split('\n'), after.split('\n')]
  const at = lines.findIndex((line, index) => line !== old[index])
  return (at === -1 ? lines.length - 1 : at) + 1
}

function newUses ({ after }: Read, known: ReadonlySet<string>): Found[] {
  if (after === null) return []
  const found = new Map<string, Found>()
  for (const use of usesOf(after)) {
    if (!known.has(nameOf(use)) && !found.has(nameOf(use))) found.set(nameOf(use), { rule: use.rule, line: lineAt(after.lineStarts, use.start), name: use.name })
  }
  return [...found.values()]
}

function keptCopies ({ layers }: Read, gone: ReadonlySet<string>): Found[] {
  const copy = layers.after === null ? null : copyIn(layers.after, layers.before, gone)
  return copy === null ? [] : [{ rule: 'copy', line: copy.line, name: copy.text.slice(0, nameCharsMax) }]
}

/** Of a line that is named in evidence. */
const nameCharsMax = 200
