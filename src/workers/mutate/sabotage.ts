// Test files in which tests must fail, whatever the code under test does: an attempt that passes there has not passed because
// of what it repairs. In each test, by its syntax:
//   expect   what is expected to be equal is another value, so that the right answer is wrong. Also strikes who makes every
//            comparison agree. A test without a literal that it expects is made to raise instead. Bounds and precisions stay as they
//            are: a right answer may lie within others, too.
//   raise    it raises at once.
// What a test is called stays, and so does what stands outside of tests, so that files are collected as before.

import { parses, parseSource, type Source } from './source.ts'
import { enclosing, indentAt, part, parts, walk, type SyntaxNode } from './syntax.ts'
import type { Edit } from './types.ts'

export type SabotageMode = 'expect' | 'raise'

/** Null where no test was found, the language is unknown, or the text would not parse any more. */
export function sabotage (path: string, text: string, mode: SabotageMode): string | null {
  const source = parseSource(path, text)
  if (source === null) return null
  const edits = testsOf(source).flatMap(test => {
    const expected = mode === 'raise' ? [] : wrongExpectations(source, test)
    return expected.length > 0 ? expected : raised(source, test)
  })
  if (edits.length === 0) return null
  const spoiled = edits.sort((a, b) => b.start - a.start).reduce((text, edit) => text.slice(0, edit.start) + edit.text + text.slice(edit.end), text)
  return parses(path, spoiled) ? spoiled : null
}

// ---- which functions are tests --------------------------------------------------------------------------------------

/** `body`: a block, or the one expression of an arrow function. */
interface TestFunction { node: SyntaxNode; body: SyntaxNode; params: string[] }

const pythonTest = /^(?:test|runTest$)/i
const goTest = /^(?:Test|Fuzz)/
const goParameter = /^\(\s*(\w+)\s+\*testing\.[TF]\s*\)/
/** Words of a callee that make it a test, and those that make it none. */
const testWords = /^(?:it|test|specify|check|scenario|example|property|fit|xtest|t)$/
const groups = /^(?:describe|context|suite|group|module|mock|before|after|beforeEach|afterEach|beforeAll|afterAll|setup|teardown|on|once|skip|todo)$/

/** Outermost ones only: what a test holds goes with it. */
function testsOf (source: Source): TestFunction[] {
  const found: TestFunction[] = []
  if (source.language === 'python' || source.language === 'go') {
    const isTest = source.language === 'python' ? pythonTest : goTest
    for (const { node, body, name, params, kind } of source.units) {
      if (kind === 'class' || body === null || !isTest.test(name)) continue
      // Only what the runner calls: not TestMain, nor a helper.
      if (source.language === 'go' && !goParameter.test(source.text.slice(source.text.indexOf('(', node.start), body.start).trim())) continue
      found.push({ node, body, params })
    }
  } else {
    walk(source.root, node => {
      const run = node.kind === 'call' ? calledTest(source, node) : null
      const body = run && part(run, 'body')
      if (body) found.push({ node: run!, body, params: [] })
    })
  }
  return found.filter(({ node }) => !found.some(other => other.node !== node && other.node.start <= node.start && node.end <= other.node.end))
}

/** Of a callee that is looked at: a table of cases may stand in it. */
const calleeCharsMax = 200

/** `test('name', …, () => {})`: the function of a call whose first argument is a name. */
function calledTest ({ text }: Source, call: SyntaxNode): SyntaxNode | null {
  const [name, ...others] = parts(call, 'argument')
  if (name === undefined || (name.kind !== 'string' && name.kind !== 'template')) return null
  const callee = part(call, 'callee')
  const words = callee === null ? [] : text.slice(callee.start, Math.min(callee.end, callee.start + calleeCharsMax)).split(/\W+/)
  if (!words.some(word => testWords.test(word)) || words.some(word => groups.test(word))) return null
  return others.find(({ kind }) => kind === 'function') ?? null
}

// ---- raise ----------------------------------------------------------------------------------------------------------

function raised (source: Source, test: TestFunction): Edit[] {
  const { text, language } = source
  const { body, params } = test
  if (language === 'python') {
    const first = body.children[0]
    if (first === undefined) return []
    const ownLine = text.slice(text.lastIndexOf('\n', first.start - 1) + 1, first.start).trim() === ''
    return [insert(first.start, ownLine ? `raise AssertionError()${source.newline}${indentAt(text, first.start)}` : 'raise AssertionError(); ')]
  }
  if (language === 'go') return [insert(body.start + 1, params[0] === undefined || params[0] === '_' ? ' panic("failed");' : ` ${params[0]}.Fatal("failed");`)]
  return body.kind === 'block' ? [insert(body.start + 1, ' throw new Error();')] : [{ start: body.start, end: body.end, text: '{ throw new Error() }' }]
}

const insert = (at: number, text: string): Edit => ({ start: at, end: at, text })

// ---- expect ---------------------------------------------------------------------------------------------------------

/** Calls that ask whether two things are equal, without their underscores and capitals. */
const equalityCalls = new Set(('equal equals eq eql is be tobe same issame isequal isdeep strictequal deepequal deepequals deepstrictequal looseequal looseequals strictsame toequal tostrictequal tobeequal shouldequal shouldbe equalvalues ' +
  'assertequal assertequals asserteq assertis assertlistequal asserttupleequal assertdictequal assertsetequal assertsequenceequal assertmultilineequal').split(' '))

const equalities: ReadonlySet<string> = new Set(['==', '===', 'is'])
/** Go has no assertion: a test fails where something is not what it should be. */
const goEqualities: ReadonlySet<string> = new Set(['==', '!='])

/** A comparison that decides whether the test passes, not where it goes. */
function decides ({ language }: Source, compare: SyntaxNode): boolean {
  if (!(language === 'go' ? goEqualities : equalities).has(compare.word)) return false
  const holder = enclosing(compare, 'assert', 'call', 'loop', 'if', 'ternary', 'statement', 'declare', 'return')
  return holder?.kind === 'assert' || (language === 'go' ? holder?.kind === 'if' : holder?.kind === 'call')
}

/** Literals that are compared with something: a side of an equality, the last of what an assertion compares. */
function wrongExpectations (source: Source, { body }: TestFunction): Edit[] {
  const edits: Edit[] = []
  const spoil = (node: SyntaxNode): void => {
    const edit = otherLiteral(source, node, edits.length)
    if (edit !== null) edits.push(edit)
  }
  walk(body, node => {
    if (node.kind === 'compare' && decides(source, node)) {
      const sides = [part(node, 'left'), part(node, 'right')].filter(side => side !== null)
      const literal = sides.reverse().find(isLiteral)
      if (literal !== undefined && !sides.every(isLiteral)) spoil(literal)
    } else if (node.kind === 'call' && compares(source, node)) {
      const literals = parts(node, 'argument').slice(0, comparedMax).filter(isLiteral)
      if (literals.length > 0) spoil(literals.at(-1)!)
    }
  })
  return edits
}

/** What comes behind the two that are compared is a message. */
const comparedMax = 2

const isLiteral = ({ kind }: SyntaxNode): boolean => kind === 'number' || kind === 'string' || kind === 'boolean' || kind === 'null'

function compares ({ text }: Source, call: SyntaxNode): boolean {
  const callee = part(call, 'callee')
  if (callee === null) return false
  const last = callee.kind === 'member' ? callee.children.at(-1)! : callee
  return equalityCalls.has(text.slice(last.start, last.end).replaceAll('_', '').toLowerCase())
}

/** Added to numbers, in turn, so that what two of them make together is another value too. */
const offsets = [3, 17, 5, 29, 11, 41, 7, 23]

function otherLiteral ({ text: source, language }: Source, { kind, start, end }: SyntaxNode, index: number): Edit | null {
  const text = source.slice(start, end)
  const other = (text: string): Edit => ({ start, end, text })
  const offset = offsets[index % offsets.length]!
  if (kind === 'number') return /^(?:0|[1-9]\d*)$/.test(text) ? other(String(BigInt(text) + BigInt(offset))) : /^\d*\.\d+$/.test(text) ? other(`${offset}${text}`) : null
  if (kind === 'boolean') return other(flipped[text] ?? text)
  if (kind === 'null') return language === 'go' ? null : other(String(offset))
  const quote = /(?:"""|'''|["'])$/.exec(text)?.[0]
  return quote === undefined ? null : other(`${text.slice(0, -quote.length)}~${offset}${quote}`)
}

const flipped: Record<string, string> = { true: 'false', false: 'true', True: 'False', False: 'True' }
