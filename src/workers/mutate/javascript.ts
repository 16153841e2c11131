// JavaScript, JSX, TypeScript and TSX: from the parser's ESTree to the common tree. Types hold nothing that runs and are
// left out; so are decorators' insides. A file may be a module, a script, or CommonJS with a return at top level.

import { createRequire } from 'node:module'
import { parseSync } from 'oxc-parser'
import { add, findToken, flag, node } from './syntax.ts'
import type { Kind, Role, SyntaxNode } from './syntax.ts'

interface Estree { type: string; start: number; end: number; [key: string]: unknown }
type Lang = 'js' | 'jsx' | 'ts' | 'tsx'

const extensionLangs: Record<string, Lang[]> = {
  js: ['js', 'jsx'], mjs: ['js'], cjs: ['js'], jsx: ['jsx'], ts: ['ts'], mts: ['ts'], cts: ['ts'], tsx: ['tsx']
}
const topLevelReturn = "A 'return' statement can only be used within a function body."

interface Result { errors: { message: string }[]; program: unknown }
type Parse = (name: string, text: string, options: { lang: Lang; sourceType: 'module' | 'script'; showSemanticErrors: boolean }) => Result

// What the package itself wraps: here the tree is a string that is taken out of native memory, which the garbage collector
// does not see. Left inside, thousands of checks hold gigabytes.
const bindings = createRequire(import.meta.url)('oxc-parser/bindings.js') as { parseSync: Parse }

function attempt (parse: Parse, path: string, text: string, showSemanticErrors: boolean): Result | null {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase()
  const sourceTypes = extension === 'cjs' || extension === 'cts' ? ['script'] as const : extension === 'mjs' ? ['module'] as const : ['module', 'script'] as const
  for (const lang of extensionLangs[extension] ?? []) {
    for (const sourceType of sourceTypes) {
      const parsed = parse('source', text, { lang, sourceType, showSemanticErrors })
      if (parsed.errors.every(error => sourceType === 'script' && error.message === topLevelReturn)) return parsed
    }
  }
  return null
}

/** Also false for early errors: a name declared twice, a break outside of a loop. */
export function javascriptParses (path: string, text: string): boolean {
  const parse: Parse = (name, source, options) => {
    const { errors, program } = bindings.parseSync(name, source, options)
    return { errors, program }
  }
  return attempt(parse, path, text, true) !== null
}

export function parseJavascript (path: string, text: string): SyntaxNode | null {
  const parsed = attempt(parseSync as unknown as Parse, path, text, false)
  if (!parsed) return null
  const program = parsed.program as unknown as Estree
  const root = node('program', 0, text.length)
  for (const child of program['body'] as Estree[]) convert(child, root, 'statement', text)
  return root
}

const kinds: Record<string, Kind> = {
  BlockStatement: 'block', StaticBlock: 'block', TSModuleBlock: 'block', IfStatement: 'if', ForStatement: 'loop', ForInStatement: 'loop', ForOfStatement: 'loop',
  WhileStatement: 'loop', DoWhileStatement: 'loop', SwitchStatement: 'switch', SwitchCase: 'case', TryStatement: 'try', CatchClause: 'catch',
  ReturnStatement: 'return', ThrowStatement: 'throw', BreakStatement: 'break', ContinueStatement: 'continue', VariableDeclaration: 'declare',
  VariableDeclarator: 'declarator', ExpressionStatement: 'statement', ImportDeclaration: 'import', TSImportEqualsDeclaration: 'import',
  ExportNamedDeclaration: 'export', ExportDefaultDeclaration: 'export', ExportAllDeclaration: 'export', TSExportAssignment: 'export', EmptyStatement: 'pass', DebuggerStatement: 'raw', LabeledStatement: 'raw', WithStatement: 'raw',
  FunctionDeclaration: 'function', FunctionExpression: 'function', ArrowFunctionExpression: 'function', ClassDeclaration: 'class', ClassExpression: 'class',
  MethodDefinition: 'method', PropertyDefinition: 'field', AccessorProperty: 'field',
  Identifier: 'name', ThisExpression: 'this', Super: 'this', TemplateLiteral: 'template', BinaryExpression: 'binary', LogicalExpression: 'logical',
  AssignmentExpression: 'assign', UpdateExpression: 'update', ConditionalExpression: 'ternary', CallExpression: 'call', ImportExpression: 'opaque', NewExpression: 'new',
  MemberExpression: 'member', AwaitExpression: 'await', ArrayExpression: 'array', ObjectExpression: 'object', Property: 'pair', SpreadElement: 'spread', RestElement: 'spread',
  AssignmentPattern: 'default', ParenthesizedExpression: 'paren'
}

const roles: Record<string, Record<string, Role>> = {
  block: { body: 'statement' },
  if: { test: 'test', consequent: 'then', alternate: 'else' },
  loop: { init: 'init', left: 'init', right: 'value', test: 'test', update: 'step', body: 'body' },
  switch: { discriminant: 'test', cases: 'case' },
  case: { test: 'test', consequent: 'statement' },
  try: { block: 'body', handler: 'handler', finalizer: 'finalizer' },
  catch: { param: 'param', body: 'body' },
  return: { argument: 'value' },
  throw: { argument: 'value' },
  declare: { declarations: 'element' },
  declarator: { id: 'left', init: 'right' },
  statement: { expression: 'value' },
  export: { declaration: 'statement', expression: 'value' },
  raw: { body: 'body', object: 'value' },
  function: { id: 'name', params: 'param', body: 'body' },
  class: { id: 'name', superClass: 'superclass', body: 'body', decorators: 'decorator' },
  method: { key: 'key', value: 'value', decorators: 'decorator' },
  field: { key: 'key', value: 'value', decorators: 'decorator' },
  template: { expressions: 'element' },
  binary: { left: 'left', right: 'right' },
  logical: { left: 'left', right: 'right' },
  compare: { left: 'left', right: 'right' },
  assign: { left: 'left', right: 'right' },
  augment: { left: 'left', right: 'right' },
  not: { argument: 'operand' },
  sign: { argument: 'operand' },
  update: { argument: 'operand' },
  ternary: { test: 'test', consequent: 'then', alternate: 'else' },
  call: { callee: 'callee', arguments: 'argument' },
  new: { callee: 'callee', arguments: 'argument' },
  member: { object: 'object', property: 'property' },
  index: { object: 'object', property: 'property' },
  await: { argument: 'operand' },
  array: { elements: 'element' },
  object: { properties: 'element' },
  pair: { key: 'key', value: 'value' },
  spread: { argument: 'operand' },
  default: { left: 'left', right: 'right' },
  paren: { expression: 'operand' }
}

const comparisons = new Set(['==', '!=', '===', '!==', '<', '<=', '>', '>=', 'in', 'instanceof'])
// Of TypeScript's nodes only these hold code that runs.
const typescriptWithCode = new Set([
  'TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression', 'TSTypeAssertion', 'TSInstantiationExpression', 'TSModuleDeclaration',
  'TSModuleBlock', 'TSParameterProperty', 'TSExportAssignment', 'TSImportEqualsDeclaration'
])

function kindOf (estree: Estree): Kind {
  switch (estree.type) {
    case 'Literal': return literalKind(estree)
    case 'UnaryExpression': return estree['operator'] === '!' ? 'not' : estree['operator'] === '-' ? 'sign' : 'opaque'
    case 'BinaryExpression': return comparisons.has(estree['operator'] as string) ? 'compare' : 'binary'
    case 'AssignmentExpression': return estree['operator'] === '=' ? 'assign' : 'augment'
    case 'MemberExpression': return estree['computed'] ? 'index' : 'member'
    case 'ExpressionStatement': return estree['directive'] ? 'directive' : 'statement'
    default: return kinds[estree.type] ?? 'opaque'
  }
}

function literalKind (estree: Estree): Kind {
  if (estree['regex'] || estree['bigint']) return 'opaque'
  const value = estree['value']
  if (value === null) return 'null'
  return typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'opaque'
}

function convert (estree: Estree, parent: SyntaxNode, role: Role, text: string): void {
  const { type } = estree
  if (type === 'ChainExpression') { convert(estree['expression'] as Estree, parent, role, text); return }
  if (type.startsWith('TS') && !typescriptWithCode.has(type)) {
    if (role === 'statement') add(parent, node('type', estree.start, estree.end), role)
    return
  }
  if (estree['declare'] === true || (role === 'body' && type === 'BlockStatement' && estree.start === estree.end)) {
    add(parent, node('type', estree.start, estree.end), role)
    return
  }
  const kind = kindOf(estree)
  const made = add(parent, node(kind, estree.start, estree.end), role)
  describe(made, estree)
  convertParts(made, estree, text)
  if (kind === 'binary' || kind === 'logical' || kind === 'compare' || kind === 'assign' || kind === 'augment') locateOperator(made, text)
}

function convertParts (made: SyntaxNode, estree: Estree, text: string): void {
  if (estree.type === 'ClassDeclaration' || estree.type === 'ClassExpression') { convertClass(made, estree, text); return }
  const known = roles[made.kind]
  // A shorthand property and its value are one text.
  const skipKey = estree.type === 'Property' && estree['shorthand'] === true
  for (const key in estree) {
    if (key === 'type' || key === 'start' || key === 'end' || (skipKey && key === 'key')) continue
    const value = estree[key]
    if (value === null || typeof value !== 'object') continue
    const childRole = known?.[key] ?? ''
    if (Array.isArray(value)) {
      for (const item of value) if (item !== null && typeof item === 'object' && 'type' in item) convert(item as Estree, made, childRole, text)
    } else if ('type' in value) convert(value as Estree, made, childRole, text)
  }
  made.children.sort((a, b) => a.start - b.start)
}

function convertClass (made: SyntaxNode, estree: Estree, text: string): void {
  const id = estree['id'] as Estree | null
  const base = estree['superClass'] as Estree | null
  if (id) convert(id, made, 'name', text)
  if (base) convert(base, made, 'superclass', text)
  const body = estree['body'] as Estree
  made.at = body.start
  for (const member of body['body'] as Estree[]) convert(member, made, 'member', text)
}

function describe (made: SyntaxNode, estree: Estree): void {
  if (typeof estree['operator'] === 'string') made.word = estree['operator']
  else if (typeof estree['name'] === 'string') made.word = estree['name']
  else if (estree.type === 'VariableDeclaration' || estree.type === 'MethodDefinition') made.word = estree['kind'] as string
  if (estree['async'] === true) made.flags |= flag.async
  if (estree['generator'] === true) made.flags |= flag.generator
  if (estree['optional'] === true) made.flags |= flag.optional
  if (estree['computed'] === true) made.flags |= flag.computed
  if (estree.type === 'ArrowFunctionExpression') made.flags |= flag.arrow
  if (estree.type === 'MethodDefinition' && estree['kind'] !== 'method') made.flags |= flag.special
  if (estree.type === 'Property' && estree['kind'] !== 'init') made.flags |= flag.special
  if (estree.type === 'SwitchCase' && estree['test'] === null) made.flags |= flag.fallback
  if (estree.type === 'UpdateExpression' && estree['prefix'] === true) made.flags |= flag.special
  if (made.parent?.kind === 'export') made.flags |= flag.exported
}

function locateOperator (made: SyntaxNode, text: string): void {
  const left = made.children[0]
  const right = made.children[1]
  if (left && right) made.at = findToken(text, left.end, right.start, made.word, 'javascript')
}
