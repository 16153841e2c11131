// What names stand for: logging that no test can see, and the object that an expression starts from.

import { bare, part } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'

const loggers = new Set(['console', 'logger', 'logging', 'log', 'debug', 'warnings', 'LOG', 'LOGGER', '_logger'])

/** The leftmost name of a chain of members, indexes and calls. */
export function rootName (of: SyntaxNode): string {
  let at = bare(of)
  for (;;) {
    const next = part(at, 'object') ?? part(at, 'callee') ?? (at.kind === 'await' || at.kind === 'spread' ? part(at, 'operand') : null)
    if (!next) return at.kind === 'name' ? at.word : at.kind === 'this' ? 'this' : ''
    at = bare(next)
  }
}

/** Whether a statement only writes to a log. */
export function isLogging (statement: SyntaxNode): boolean {
  const value = statement.kind === 'statement' ? statement.children[0] : undefined
  return value !== undefined && bare(value).kind === 'call' && loggers.has(rootName(value))
}
