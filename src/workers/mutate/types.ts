// Source text as the procedural policies see it: units, removable parts, mutations and repair candidates. Everything is
// found once per file by a real parser; an edit is one replacement in the text, and applying it gives text that parses.

export type Language = 'javascript' | 'typescript' | 'python' | 'go'

/** Replace text[start, end) (UTF-16 offsets). */
export interface Edit { start: number; end: number; text: string }

export interface Unit {
  kind: 'function' | 'method' | 'class'
  name: string
  params: string[]
  /** 1-based, inclusive. */
  line: number
  endLine: number
  start: number
  end: number
  /** The body without its braces or its docstring; empty for a class. */
  bodyStart: number
  bodyEnd: number
}

export interface Mutant {
  /** Operator name, such as `remove branch`, `change operator`, `transplant statement`. */
  operator: string
  edit: Edit
  line: number
  endLine: number
  /** Innermost function or method that holds the site, or null. */
  unit: string | null
}

export interface SourceIndex {
  language: Language
  units: Unit[]
  /** Ways to remove something, small to large: operand, statement, branch, loop, body, method, helper function. */
  removals: Mutant[]
  /** Operator, constant, condition and argument mutations. */
  direct: Mutant[]
}

export interface RepairRequest {
  path: string
  text: string
  /** 1-based line to suspicion in (0, 1]; lines that are not listed are not touched. */
  suspicion: Record<number, number>
  /** Other sources of the same repository to transplant from. */
  corpus: { path: string; text: string }[]
  /** Identifiers and literals that the failing tests name, most frequent first. */
  hints: string[]
  seed: number
  limit: number
}

/** Repair candidates, most promising first, no two with the same effect. */
export interface RepairReply { candidates: Mutant[] }
