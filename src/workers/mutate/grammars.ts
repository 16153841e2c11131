// Parsers that must be loaded before they can be used: tree-sitter grammars for Python and Go. They are loaded once per
// thread and kept; JavaScript and TypeScript need none.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { SparError } from '../../errors.ts'
import type { Language } from './types.ts'

/** The part of tree-sitter that is used here. */
interface GrammarCursor {
  readonly nodeType: string
  readonly nodeIsNamed: boolean
  readonly startIndex: number
  readonly endIndex: number
  readonly currentFieldName: string | null
  gotoFirstChild (): boolean
  gotoNextSibling (): boolean
  gotoParent (): boolean
  delete (): void
}
interface GrammarTree { readonly rootNode: { readonly hasError: boolean }; walk (): GrammarCursor; delete (): void }
interface GrammarParser { parse (text: string): GrammarTree | null; setLanguage (language: unknown): void }
interface Runtime {
  Parser: { init (): Promise<void>; new (): GrammarParser }
  Language: { load (path: string): Promise<unknown> }
}

export type GrammarLanguage = Extract<Language, 'python' | 'go'>

const require = createRequire(import.meta.url)
const runtimePath = '@vscode/tree-sitter-wasm/wasm/tree-sitter.js'
const loading = new Map<GrammarLanguage, Promise<void>>()
const parsers = new Map<GrammarLanguage, GrammarParser>()

/** Resolves when sources of this language can be parsed. Idempotent. */
export async function prepareLanguage (language: Language | null): Promise<void> {
  if (language !== 'python' && language !== 'go') return
  let load = loading.get(language)
  if (!load) loading.set(language, load = loadGrammar(language))
  await load
}

async function loadGrammar (language: GrammarLanguage): Promise<void> {
  const runtime = require(runtimePath) as Runtime
  await runtime.Parser.init()
  const grammar = await runtime.Language.load(join(dirname(require.resolve(runtimePath)), `tree-sitter-${language}.wasm`))
  const parser = new runtime.Parser()
  parser.setLanguage(grammar)
  parsers.set(language, parser)
}

/** The caller must delete the tree: it lives outside the garbage collector's reach. */
function parseGrammar (language: GrammarLanguage, text: string): GrammarTree | null {
  const parser = parsers.get(language)
  if (!parser) throw new SparError('GRAMMAR_NOT_LOADED', `Cannot parse ${language}: prepareLanguage('${language}') must be awaited first`)
  return parser.parse(text)
}

/** A parse tree copied out of the grammar's memory. */
export interface RawNode { type: string; field: string | null; named: boolean; start: number; end: number; children: RawNode[] }

/** null when the text does not parse. */
export function rawTree (language: GrammarLanguage, text: string): RawNode | null {
  const tree = parseGrammar(language, text)
  if (!tree) return null
  try {
    if (tree.rootNode.hasError) return null
    const cursor = tree.walk()
    const root = copy(cursor)
    cursor.delete()
    return root
  } finally {
    tree.delete()
  }
}

function copy (cursor: GrammarCursor): RawNode {
  const made: RawNode = { type: cursor.nodeType, field: cursor.currentFieldName, named: cursor.nodeIsNamed, start: cursor.startIndex, end: cursor.endIndex, children: [] }
  if (cursor.gotoFirstChild()) {
    do made.children.push(copy(cursor))
    while (cursor.gotoNextSibling())
    cursor.gotoParent()
  }
  return made
}

export function child (of: RawNode, field: string): RawNode | null {
  for (const candidate of of.children) if (candidate.field === field) return candidate
  return null
}

export function namedChildren (of: RawNode): RawNode[] {
  return of.children.filter(candidate => candidate.named && candidate.type !== 'comment')
}
