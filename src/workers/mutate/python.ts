// Python: from the grammar's tree to the common one. `elif` becomes an `if` in the place of an `else`, a class body a list
// of members, a docstring a directive. Annotations hold nothing that runs and are left out.

import { child, namedChildren, rawTree } from './grammars.ts'
import type { RawNode } from './grammars.ts'
import { add, enclosing, flag, node, parts, walk } from './syntax.ts'
import type { Kind, Role, SyntaxNode } from './syntax.ts'

export function parsePython (text: string): SyntaxNode | null {
  const raw = rawTree('python', text)
  if (!raw) return null
  const root = node('program', 0, text.length)
  statements(raw, root, text)
  return root
}

/** The grammar is more patient than Python: what only Python refuses is checked on the tree. */
export function pythonParses (text: string): boolean {
  const root = parsePython(text)
  if (!root) return false
  let sound = true
  walk(root, found => { sound &&= isSound(found) })
  return sound
}

function isSound (found: SyntaxNode): boolean {
  switch (found.kind) {
    case 'return': return enclosing(found, 'function', 'class')?.kind === 'function'
    case 'break': case 'continue': return enclosing(found, 'function', 'class', 'loop')?.kind === 'loop'
    case 'await': return ((enclosing(found, 'function')?.flags ?? 0) & flag.async) !== 0
    case 'call': return inOrder(parts(found, 'argument'), argument => argument.kind === 'keyword' || argument.kind === 'spread')
    case 'function': return inOrder(parts(found, 'param'), param => param.kind === 'default' || param.kind === 'spread' || param.kind === 'opaque')
    case 'assign': case 'augment': return !unassignable.has(parts(found, 'left')[0]?.kind ?? 'name')
    case 'block': return found.children.length > 0
    default: return true
  }
}

const unassignable: ReadonlySet<Kind> = new Set<Kind>(['call', 'number', 'string', 'boolean', 'null', 'compare', 'logical', 'binary', 'not', 'await', 'ternary'])

/** Nothing plain after what is marked; `*` and `/` end the rule, since what follows is named. */
function inOrder (items: SyntaxNode[], marked: (item: SyntaxNode) => boolean): boolean {
  let found = false
  for (const item of items) {
    if (item.kind === 'spread' || (item.role === 'param' && item.kind === 'opaque')) return true
    if (marked(item)) found = true
    else if (found) return false
  }
  return true
}

// ---- statements -----------------------------------------------------------------------------------------------------

function statements (raw: RawNode, into: SyntaxNode, text: string, role: Role = 'statement'): void {
  namedChildren(raw).forEach((found, index) => statement(found, into, role, text, index === 0))
}

function block (raw: RawNode | null, parent: SyntaxNode, role: Role, text: string, span: RawNode | null = raw): SyntaxNode | null {
  if (!raw || !span) return null
  const made = add(parent, node('block', span.start, raw.end), role)
  statements(raw, made, text)
  return made
}

function statement (raw: RawNode, parent: SyntaxNode, role: Role, text: string, first: boolean): void {
  switch (raw.type) {
    case 'expression_statement': expressionStatement(raw, parent, role, text, first); return
    case 'if_statement': ifStatement(raw, parent, role, text); return
    case 'for_statement': case 'while_statement': loop(raw, parent, role, text); return
    case 'try_statement': tryStatement(raw, parent, role, text); return
    case 'match_statement': matchStatement(raw, parent, role, text); return
    case 'with_statement': {
      const made = add(parent, node('raw', raw.start, raw.end), role)
      const body = child(raw, 'body')
      for (const part of namedChildren(raw)) if (part !== body) expression(part, made, '', text)
      block(body, made, 'body', text)
      return
    }
    case 'function_definition': functionDefinition(raw, parent, role, text); return
    case 'class_definition': classDefinition(raw, parent, role, text); return
    case 'decorated_definition': decorated(raw, parent, role, text); return
    case 'import_statement': case 'import_from_statement': case 'future_import_statement': imported(raw, parent, role, text); return
    default: {
      const kind = statementKinds[raw.type] ?? 'raw'
      const made = add(parent, node(kind, raw.start, raw.end), role)
      if (kind !== 'type') for (const part of namedChildren(raw)) expression(part, made, 'value', text)
    }
  }
}

const statementKinds: Record<string, Kind> = {
  return_statement: 'return', raise_statement: 'throw', break_statement: 'break', continue_statement: 'continue', pass_statement: 'pass', assert_statement: 'assert',
  global_statement: 'type', nonlocal_statement: 'type', type_alias_statement: 'type', delete_statement: 'raw'
}

function expressionStatement (raw: RawNode, parent: SyntaxNode, role: Role, text: string, first: boolean): void {
  const inner = namedChildren(raw)
  const only = inner.length === 1 ? inner[0]! : null
  if (only?.type === 'string' && first) { add(parent, node('directive', raw.start, raw.end), role); return }
  if (only?.type === 'assignment' && !child(only, 'right')) { add(parent, node('type', raw.start, raw.end), role); return }
  const made = add(parent, node('statement', raw.start, raw.end), role)
  for (const part of inner) expression(part, made, 'value', text)
}

function ifStatement (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  let made = add(parent, node('if', raw.start, raw.end), role)
  expression(child(raw, 'condition'), made, 'test', text)
  block(child(raw, 'consequence'), made, 'then', text)
  for (const clause of raw.children) {
    if (clause.type === 'elif_clause') {
      const inner = node('if', clause.start, raw.end)
      inner.flags |= flag.elif
      made = add(made, inner, 'else')
      expression(child(clause, 'condition'), made, 'test', text)
      block(child(clause, 'consequence'), made, 'then', text)
    } else if (clause.type === 'else_clause') block(child(clause, 'body'), made, 'else', text, clause)
  }
}

function loop (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('loop', raw.start, raw.end), role)
  expression(child(raw, 'left'), made, 'init', text)
  expression(child(raw, 'right'), made, 'value', text)
  expression(child(raw, 'condition'), made, 'test', text)
  block(child(raw, 'body'), made, 'body', text)
  const otherwise = child(raw, 'alternative')
  if (otherwise) block(child(otherwise, 'body'), made, '', text)
}

function tryStatement (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('try', raw.start, raw.end), role)
  block(child(raw, 'body'), made, 'body', text)
  for (const clause of raw.children) {
    if (!/^(except|except_group|finally|else)_clause$/.test(clause.type)) continue
    const inner = add(made, node(clause.type.startsWith('except') ? 'catch' : 'opaque', clause.start, clause.end), clause.type === 'finally_clause' ? 'finalizer' : 'handler')
    for (const part of namedChildren(clause)) {
      if (part.type === 'block') block(part, inner, 'body', text)
      else expression(part, inner, part.type === 'as_pattern' ? 'param' : 'value', text)
    }
  }
}

function matchStatement (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('switch', raw.start, raw.end), role)
  expression(child(raw, 'subject'), made, 'test', text)
  for (const clause of child(raw, 'body')?.children ?? []) {
    if (clause.type !== 'case_clause') continue
    const inner = add(made, node('case', clause.start, clause.end), 'case')
    const body = child(clause, 'consequence')
    if (body) statements(body, inner, text)
  }
}

function imported (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('import', raw.start, raw.end), role)
  const module = child(raw, 'module_name')
  for (const part of namedChildren(raw)) {
    if (part === module) continue
    const named = child(part, 'alias') ?? namedChildren(part)[0] ?? part
    const name = node('name', named.start, named.end)
    name.word = text.slice(named.start, named.end)
    add(made, name, 'name')
  }
}

// ---- definitions ----------------------------------------------------------------------------------------------------

function decorated (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const definition = child(raw, 'definition')
  if (!definition) return
  if (role === 'member' && definition.type === 'function_definition') { method(raw, definition, parent, text, true); return }
  const made = add(parent, node('raw', raw.start, raw.end), role)
  statement(definition, made, '', text, false)
}

function method (whole: RawNode, definition: RawNode, owner: SyntaxNode, text: string, hasDecorators: boolean): void {
  const made = add(owner, node('method', whole.start, whole.end), 'member')
  const name = child(definition, 'name')
  if (hasDecorators || (name && /^__\w+__$/.test(text.slice(name.start, name.end)))) made.flags |= flag.special
  functionDefinition(definition, made, 'value', text, parts(owner, 'name')[0]?.word ?? '')
}

function functionDefinition (raw: RawNode, parent: SyntaxNode, role: Role, text: string, owner = ''): void {
  if (role === 'member') { method(raw, raw, parent, text, false); return }
  const made = add(parent, node('function', raw.start, raw.end), role)
  made.word = owner
  if (raw.children.some(part => part.type === 'async')) made.flags |= flag.async
  const name = child(raw, 'name')
  expression(name, made, 'name', text)
  if (name && !text.startsWith('_', name.start) && parent.kind === 'program') made.flags |= flag.exported
  params(child(raw, 'parameters'), made, text)
  block(child(raw, 'body'), made, 'body', text)
}

function classDefinition (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('class', raw.start, raw.end), role)
  expression(child(raw, 'name'), made, 'name', text)
  for (const base of namedChildren(child(raw, 'superclasses') ?? { ...raw, children: [] })) expression(base, made, 'superclass', text)
  const body = child(raw, 'body')
  if (!body) return
  made.at = body.start
  statements(body, made, text, 'member')
}

function params (raw: RawNode | null, made: SyntaxNode, text: string): void {
  for (const param of raw ? namedChildren(raw) : []) {
    const name = child(param, 'name') ?? (param.type === 'typed_parameter' ? namedChildren(param)[0] ?? null : null)
    const value = child(param, 'value')
    if (name && value) {
      const whole = add(made, node('default', param.start, param.end), 'param')
      const type = child(param, 'type')
      const left = add(whole, node('name', name.start, (type ?? name).end), 'left')
      left.word = text.slice(name.start, name.end)
      expression(value, whole, 'right', text)
    } else if (name && name.type === 'identifier') {
      const plain = add(made, node('name', param.start, param.end), 'param')
      plain.word = text.slice(name.start, name.end)
    } else expression(name ?? param, made, 'param', text)
  }
}

// ---- expressions ----------------------------------------------------------------------------------------------------

const expressionKinds: Record<string, Kind> = {
  identifier: 'name', integer: 'number', float: 'number', string: 'string', concatenated_string: 'template', true: 'boolean', false: 'boolean', none: 'null', boolean_operator: 'logical',
  comparison_operator: 'compare', not_operator: 'not', binary_operator: 'binary', conditional_expression: 'ternary', lambda: 'function', call: 'call', attribute: 'member', subscript: 'index', await: 'await',
  list: 'array', tuple: 'array', set: 'array', expression_list: 'array', pattern_list: 'array', tuple_pattern: 'array', list_pattern: 'array', dictionary: 'object', pair: 'pair', list_splat: 'spread', dictionary_splat: 'spread', list_splat_pattern: 'spread',
  dictionary_splat_pattern: 'spread', parenthesized_expression: 'paren', assignment: 'assign', augmented_assignment: 'augment', keyword_argument: 'keyword', unary_operator: 'sign'
}

const fieldRoles: Record<string, Role> = {
  left: 'left', right: 'right', argument: 'operand', function: 'callee', object: 'object', attribute: 'property', value: 'value', key: 'key', name: 'key', body: 'body'
}

function expression (raw: RawNode | null, parent: SyntaxNode, role: Role, text: string): void {
  if (!raw || raw.type === 'type' || raw.type === 'comment') return
  const made = add(parent, node(kindOf(raw, text), raw.start, raw.end), role)
  if (made.kind === 'name') { made.word = text.slice(raw.start, raw.end); return }
  if (made.kind === 'string' || made.kind === 'number' || made.kind === 'boolean') return
  const inner = namedChildren(raw)
  switch (made.kind) {
    case 'compare': comparison(raw, made, text); return
    case 'ternary': inner.forEach((part, index) => expression(part, made, (['then', 'test', 'else'] as const)[index] ?? '', text)); return
    case 'call': call(raw, made, text); return
    case 'function': made.flags |= flag.arrow; params(child(raw, 'parameters'), made, text); expression(child(raw, 'body'), made, 'body', text); return
    case 'index': inner.forEach(part => expression(part, made, part.field === 'value' ? 'object' : 'property', text)); return
    case 'array': case 'object': inner.forEach(part => expression(part, made, 'element', text)); return
    case 'paren': case 'await': case 'spread': inner.forEach(part => expression(part, made, 'operand', text)); return
    default: inner.forEach(part => expression(part, made, fieldRoles[part.field ?? ''] ?? '', text))
  }
  operator(raw, made, text)
}

function kindOf (raw: RawNode, text: string): Kind {
  const kind = expressionKinds[raw.type] ?? 'opaque'
  if (kind === 'string' && raw.children.some(part => part.type === 'interpolation')) return 'template'
  if (kind === 'sign' && text[raw.start] !== '-') return 'opaque'
  if (kind === 'compare' && namedChildren(raw).length !== 2) return 'opaque'
  return kind
}

function operator (raw: RawNode, made: SyntaxNode, text: string): void {
  const token = child(raw, 'operator') ?? raw.children.find(part => !part.named && (part.type === 'and' || part.type === 'or' || part.type === '='))
  if (!token || made.kind === 'default' || made.kind === 'keyword') return
  made.word = text.slice(token.start, token.end)
  made.at = token.start
}

function comparison (raw: RawNode, made: SyntaxNode, text: string): void {
  const [left, right] = namedChildren(raw)
  expression(left!, made, 'left', text)
  expression(right!, made, 'right', text)
  const tokens = raw.children.filter(part => !part.named)
  made.at = tokens[0]?.start ?? -1
  made.word = text.slice(made.at, tokens[tokens.length - 1]?.end ?? made.at)
}

function call (raw: RawNode, made: SyntaxNode, text: string): void {
  expression(child(raw, 'function'), made, 'callee', text)
  const given = child(raw, 'arguments')
  if (!given) return
  if (given.type !== 'argument_list') { expression(given, made, 'argument', text); return }
  for (const argument of namedChildren(given)) expression(argument, made, 'argument', text)
}
