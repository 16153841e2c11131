// What a bug puts into files beyond being a bug: the files as they were, held against the files as they are with it. Nothing
// runs. A name that one of the files had before is never found, and a file that did not parse before says nothing.

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

export function survey (files: readonly SurveyFile[]): Finding[] {
  const broken = files.flatMap(file => brokenSyntax(file).map(withText(file)))
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

/** Null as well for a text that nests too deep for a stack. */
function parsed (path: string, text: string): Source | null {
  try {
    return parseSource(path, text)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const nameOf = ({ rule, name }: Use): string => `${rule} ${name}`

function brokenSyntax ({ path, before, after }: SurveyFile): Found[] {
  if (before === null || after === null || languageOf(path) === null || isSound(path, after) || !isSound(path, before)) return []
  return [{ rule: 'syntax', line: firstDifference(before, after), name: path }]
}

/** What nests too deep is not called broken. */
function isSound (path: string, text: string): boolean {
  try {
    return text.trim() === '' || text.length > sourceBytesMax || parses(path, text)
  } catch (error) {
    if (error instanceof RangeError) return true
    throw error
  }
}

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
