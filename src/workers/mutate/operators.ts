// The operators of the three languages in groups whose members can stand for each other, and their opposites.

import type { Language } from './types.ts'

interface Groups { equality: readonly string[]; order: readonly string[]; logical: readonly string[]; arithmetic: readonly string[]; bitwise: readonly string[]; membership: readonly string[] }

const javascript: Groups = {
  equality: ['===', '!==', '==', '!='], order: ['<', '<=', '>', '>='], logical: ['&&', '||', '??'], arithmetic: ['+', '-', '*', '/', '%', '**'], bitwise: ['&', '|', '^', '<<', '>>', '>>>'], membership: []
}
const python: Groups = {
  equality: ['==', '!=', 'is', 'is not'], order: ['<', '<=', '>', '>='], logical: ['and', 'or'], arithmetic: ['+', '-', '*', '/', '//', '%', '**'], bitwise: ['&', '|', '^', '<<', '>>'], membership: ['in', 'not in']
}
const go: Groups = {
  equality: ['==', '!='], order: ['<', '<=', '>', '>='], logical: ['&&', '||'], arithmetic: ['+', '-', '*', '/', '%'], bitwise: ['&', '|', '^', '<<', '>>'], membership: []
}

export const operatorGroups: Record<Language, Groups> = { javascript, typescript: javascript, python, go }

const opposites: Record<string, string> = {
  '===': '!==', '!==': '===', '==': '!=', '!=': '==', '<': '>=', '>=': '<', '>': '<=', '<=': '>', is: 'is not', 'is not': 'is', in: 'not in', 'not in': 'in'
}
/** The comparison that holds exactly when this one does not. */
export function oppositeOf (operator: string, language: Language): string | null {
  // Only Python can say `not in`.
  return operator === 'in' && language !== 'python' ? null : opposites[operator] ?? null
}

const flips: Record<string, string> = {
  ...opposites, '<': '>', '>': '<', '<=': '>=', '>=': '<=', '&&': '||', '||': '&&', and: 'or', or: 'and', '+': '-', '-': '+', '*': '/', '/': '*', '//': '*', '%': '*', '**': '*', '<<': '>>', '>>': '<<', '>>>': '<<', '&': '|', '|': '&', '^': '&'
}
/** The counterpart that a direct bug puts in an operator's place. */
export function flipOf (operator: string, language: Language): string | null {
  return operator === 'in' && language !== 'python' ? null : flips[operator] ?? null
}

/** Operators that can stand in this one's place, without itself. Equality and identity are not told apart by most tests: opposites only. */
export function alternativesOf (operator: string, language: Language): string[] {
  const groups = operatorGroups[language]
  for (const group of [groups.equality, groups.order, groups.logical, groups.arithmetic, groups.bitwise, groups.membership]) {
    if (group.includes(operator)) return group.filter(other => other !== operator)
  }
  return []
}

const commutative = new Set(['*', '&', '|', '^', '==', '!=', '===', '!==', 'is', 'is not'])
export const isCommutative = (operator: string): boolean => commutative.has(operator)

export interface Words { and: string; or: string; not: string; true: string; false: string; null: string }
const cWords: Words = { and: '&&', or: '||', not: '!', true: 'true', false: 'false', null: 'null' }
export const wordsOf: Record<Language, Words> = {
  javascript: cWords, typescript: cWords, go: { ...cWords, null: 'nil' }, python: { and: 'and', or: 'or', not: 'not ', true: 'True', false: 'False', null: 'None' }
}
