// Parsers that must be loaded before they can be used: tree-sitter grammars for Python and Go. They are loaded once per
// thread and kept. JavaScript and TypeScript need none but to see how deep a stranger's text nests: their own parser is native
// code, which a text that nests too deep ends together with the process.

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
/** Every grammar that is loaded here. */
type GrammarName = GrammarLanguage | 'javascript' | 'typescript' | 'tsx'

const loading = new Map<GrammarName, Promise<void>>()
const parsers = new Map<GrammarName, GrammarParser>()

/** Resolves when sources of this language can be parsed. Idempotent. */
export async function prepareLanguage (language: Language | null): Promise<void> {
  if (language === 'python' || language === 'go') await prepareGrammar(language)
}

async function prepareGrammar (language: GrammarName): Promise<void> {
  let load = loading.get(language)
  if (!load) loading.set(language, load = loadGrammar(language))
  await load
}

async function loadGrammar (language: GrammarName): Promise<void> {
  const runtime = require(runtimePath) as Runtime
  await runtime.Parser.init()
  const grammar = await runtime.Language.load(join(dirname(require.resolve(runtimePath)), `tree-sitter-${language}.wasm`))
  const parser = new runtime.Parser()
  parser.setLanguage(grammar)
  parsers.set(language, parser)
}

/** The caller must delete the tree: it lives outside the garbage collector's reach. */
function parseGrammar (language: GrammarName, text: string): GrammarTree | null {
  const parser = parsers.get(language)
  if (!parser) throw new SparError('GRAMMAR_NOT_LOADED', `Cannot parse ${language}: prepareLanguage('${language}') must be awaited first`)
  return parser.parse(text)
}

const depthGrammar = (path: string): GrammarName => /x$/i.test(path) ? 'tsx' : /\.[mc]?ts$/i.test(path) ? 'typescript' : 'javascript'

/**
 * Whether the syntax of a text in JavaScript or TypeScript nests deeper; null where it is not right, since its depth is not
 * seen then. Loads its grammar. Nothing here recurses.
 */
export async function nestsDeeper (path: string, text: string, depthMax: number): Promise<boolean | null> {
  const grammar = depthGrammar(path)
  await prepareGrammar(grammar)
  const tree = parseGrammar(grammar, text)
  if (!tree) return null
  const cursor = tree.walk()
  try {
    if (tree.rootNode.hasError) return null
    for (let depth = 0; depth <= depthMax;) {
      if (cursor.gotoFirstChild()) depth++
      else {
        while (!cursor.gotoNextSibling()) {
          if (!cursor.gotoParent()) return false
          depth--
        }
      }
    }
    return true
  } finally {
    cursor.delete()
    tree.delete()
  }
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
