// What a file uses, as chains of names: `os.path.exists()`, `process.hrtime()`. A part that is not known before it runs is `?`;
// what is written as a literal (`process['env']`, `require('fs')`) is known.

import { patternQuote } from '../../quote.ts'
import type { Source } from '../mutate/source.ts'
import { part, parts, walk, type Role, type SyntaxNode } from '../mutate/syntax.ts'
import type { Language } from '../mutate/types.ts'
import { tables, telltales, type Rule, type Table } from './tables.ts'

export interface Use { rule: Rule; name: string; start: number }

interface Entry { rule: Rule; name: string; test: RegExp }
/** `entries`: by the first word of their name. */
interface Matcher { entries: Map<string, Entry[]>; modules: Map<string, Rule> }

/** A chain has a dot in front of each name and `()` behind what is called. */
const patternOf = (name: string): RegExp => new RegExp(`${name.startsWith('^') ? '^' : ''}\\.${patternQuote(name.replace(/^\^/, ''))}(?![\\w$])`)

function matcherOf ({ names, modules }: Table): Matcher {
  const entries = new Map<string, Entry[]>()
  for (const [rule, list] of Object.entries(names) as [Rule, string][]) {
    for (const name of list.split(' ')) {
      const bare = name.replace(/^\^/, '')
      const first = bare.split(/[.(]/)[0]!
      entries.set(first, [...entries.get(first) ?? [], { rule, name: bare, test: patternOf(name) }])
    }
  }
  return { entries, modules: new Map(Object.entries(modules).flatMap(([rule, list]) => list.split(' ').map((name): [string, Rule] => [name, rule as Rule]))) }
}

const matchers = Object.fromEntries(Object.entries(tables).map(([language, table]) => [language, matcherOf(table)])) as Record<Language, Matcher>

/** Globals that only lead to other ones. */
const globals = /^\.(?:globalThis|global|window|self)(?=\.[^?])/

/** Every use that a table names, in the order of the text. */
export function usesOf ({ root, text, language }: Source): Use[] {
  const { entries, modules } = matchers[language]
  const uses: Use[] = []
  walk(root, node => {
    const { start, kind } = node
    for (const module of modulesOf(node, text, language)) {
      const rule = modules.get(module) ?? modules.get(language === 'python' ? module.split('.')[0]! : module.replace(/^node:/, ''))
      if (rule !== undefined) uses.push({ rule, name: `import ${module}`, start })
    }
    if (kind === 'string' || kind === 'template') uses.push(...telltalesOf(text.slice(start, node.end), start))
    if (!isWhole(node)) return
    const chain = chainOf(node, text).replace(globals, '')
    for (const word of new Set(chain.match(/[\w$]+/g))) {
      for (const { rule, name, test } of entries.get(word) ?? []) if (test.test(chain)) uses.push({ rule, name, start })
    }
    if (chain.startsWith('.Error()new.stack')) uses.push({ rule: 'stack', name: 'Error().stack', start })
  })
  return uses
}

const telltalesOf = (literal: string, start: number): Use[] => telltales.filter(word => literal.includes(word)).map(word => ({ rule: 'harness', name: word, start }))

const isLink = ({ kind }: SyntaxNode): boolean => kind === 'member' || kind === 'index' || kind === 'call' || kind === 'new' || kind === 'name'

/** A name that is only a key, a parameter or what is declared asks for nothing. */
function isAsked ({ kind, role, parent }: SyntaxNode): boolean {
  if (kind !== 'name') return true
  if (role === 'left' || role === 'init') return !['declarator', 'assign', 'default', 'loop'].includes(parent!.kind)
  return !['property', 'key', 'param', 'name'].includes(role)
}

/** The longest chain that a node is part of. */
const isWhole = (node: SyntaxNode): boolean =>
  isLink(node) && isAsked(node) && !(node.parent !== null && isLink(node.parent) && (node.role === 'object' || node.role === 'callee'))

function chainOf (node: SyntaxNode, text: string): string {
  const inner = (role: Role): string => chainOf(part(node, role) ?? node.children[0]!, text)
  switch (node.kind) {
    case 'name': return `.${node.word}`
    case 'this': return '.this'
    case 'member': return `${inner('object')}.${wordOf(part(node, 'property'), text)}`
    case 'index': return `${inner('object')}.${literalOf(part(node, 'property'), text) ?? '?'}`
    case 'call': return inner('callee') + (isUnknownModule(node, text) ? '(?)' : '()')
    // A date with an argument is not that of now.
    case 'new': {
      const callee = inner('callee')
      return callee + (parts(node, 'argument').length > 0 && callee === '.Date' ? '(at)' : '()new')
    }
    case 'paren': case 'await': return node.children.length === 1 ? chainOf(node.children[0]!, text) : '.?'
    default: return /^import\.meta$/.test(text.slice(node.start, Math.min(node.end, node.start + 12))) ? '.import.meta' : '.?'
  }
}

const wordOf = (node: SyntaxNode | null, text: string): string => node === null ? '?' : text.slice(node.start, node.end)

/** What a string or a number says; null for what is not known before it runs. */
function literalOf (node: SyntaxNode | undefined | null, text: string): string | null {
  if (node?.kind === 'number') return text.slice(node.start, node.end)
  return node?.kind === 'string' ? /^[bru]*(['"])(.*)\1$/s.exec(text.slice(node.start, node.end))?.[2] ?? null : null
}

/** What `require` is asked for: undefined where a call is none, null where that is not known before it runs. */
function requiredBy (call: SyntaxNode, text: string): string | null | undefined {
  const callee = call.kind === 'call' ? part(call, 'callee') : null
  return callee?.kind === 'name' && callee.word === 'require' ? literalOf(parts(call, 'argument')[0], text) : undefined
}

const isUnknownModule = (call: SyntaxNode, text: string): boolean => requiredBy(call, text) === null

function modulesOf (node: SyntaxNode, text: string, language: Language): string[] {
  const words = (): string => text.slice(node.start, node.end)
  if (language === 'python' || language === 'go') return node.kind === 'import' ? importsOf(words(), language) : []
  if (node.kind === 'import' || node.kind === 'export') return found(/\bfrom\s*['"]([^'"]+)['"]\s*;?\s*$|^import\s+['"]([^'"]+)['"]/.exec(words()))
  if (node.kind === 'opaque' && text.startsWith('import(', node.start)) return found(/^import\(\s*['"]([^'"]+)['"]/.exec(words()))
  return [requiredBy(node, text) ?? []].flat()
}

const found = (match: RegExpExecArray | null): string[] => match === null ? [] : [match[1] ?? match[2]!]

function importsOf (statement: string, language: Language): string[] {
  if (language === 'go') return [...statement.matchAll(/"([^"]+)"/g)].map(match => match[1]!)
  const from = /^from\s+([\w.]+)\s+import\s/.exec(statement)
  return from === null ? statement.replace(/^import\s+/, '').split(',').map(name => name.trim().split(/\s/)[0]!) : [from[1]!]
}
