// Go: from the grammar's tree to the common one. Types are left out; `:=` is an assignment that declares. What makes Go
// refuse a program that parses (unused names, a missing return) is go-rules.ts.

import { child, namedChildren, rawTree } from './grammars.ts'
import type { RawNode } from './grammars.ts'
import { add, flag, node } from './syntax.ts'
import type { Kind, Role, SyntaxNode } from './syntax.ts'

export function parseGo (text: string): SyntaxNode | null {
  const raw = rawTree('go', text)
  if (!raw) return null
  const root = node('program', 0, text.length)
  for (const part of namedChildren(raw)) convert(part, root, 'statement', text)
  return root
}

export function goParses (text: string): boolean {
  return rawTree('go', text) !== null
}

const kinds: Record<string, Kind> = {
  block: 'block', if_statement: 'if', for_statement: 'loop', expression_switch_statement: 'switch', type_switch_statement: 'switch', select_statement: 'switch',
  expression_case: 'case', type_case: 'case', communication_case: 'case', default_case: 'case', return_statement: 'return', break_statement: 'break', continue_statement: 'continue',
  function_declaration: 'function', method_declaration: 'function', func_literal: 'function', import_declaration: 'import', package_clause: 'type', type_declaration: 'type',
  const_declaration: 'declare', var_declaration: 'declare', const_spec: 'declarator', var_spec: 'declarator', expression_statement: 'statement', go_statement: 'raw', defer_statement: 'statement', labeled_statement: 'raw', goto_statement: 'raw', fallthrough_statement: 'raw', send_statement: 'statement', empty_statement: 'pass',
  identifier: 'name', blank_identifier: 'opaque', field_identifier: 'name', package_identifier: 'name', int_literal: 'number', float_literal: 'number', interpreted_string_literal: 'string', raw_string_literal: 'template', true: 'boolean', false: 'boolean', nil: 'null', iota: 'opaque',
  binary_expression: 'binary', unary_expression: 'opaque', call_expression: 'call', selector_expression: 'member', index_expression: 'index', parenthesized_expression: 'paren', composite_literal: 'object', keyed_element: 'pair', expression_list: 'array', variadic_argument: 'spread'
}

const fields: Record<string, Record<string, Role>> = {
  if: { condition: 'test', consequence: 'then', alternative: 'else', initializer: 'init' },
  loop: { body: 'body', condition: 'test' },
  switch: { value: 'test', initializer: 'init', alias: 'init' },
  case: { value: 'value', type: '' },
  declarator: { name: 'left', value: 'right' },
  function: { name: 'name', body: 'body' },
  binary: { left: 'left', right: 'right' },
  logical: { left: 'left', right: 'right' },
  compare: { left: 'left', right: 'right' },
  call: { function: 'callee' },
  member: { operand: 'object', field: 'property' },
  index: { operand: 'object', index: 'property' },
  not: { operand: 'operand' },
  sign: { operand: 'operand' },
  pair: { key: 'key', value: 'value' }
}

const comparisons = new Set(['==', '!=', '<', '<=', '>', '>='])
const typeNodes = /_type$|^type_|^parameter_list$|^parameter_declaration$|^dimensions$/

function kindOf (raw: RawNode, text: string): Kind {
  if (raw.type === 'binary_expression') {
    const word = operatorOf(raw, text)
    return word === '&&' || word === '||' ? 'logical' : comparisons.has(word) ? 'compare' : 'binary'
  }
  if (raw.type === 'unary_expression') return text[raw.start] === '!' ? 'not' : text[raw.start] === '-' ? 'sign' : 'opaque'
  return kinds[raw.type] ?? 'opaque'
}

const operatorOf = (raw: RawNode, text: string): string => {
  const token = child(raw, 'operator')
  return token ? text.slice(token.start, token.end) : ''
}

function convert (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  switch (raw.type) {
    case 'assignment_statement': case 'short_var_declaration': assignment(raw, parent, role, text); return
    case 'inc_statement': case 'dec_statement': update(raw, parent, role, text); return
    case 'function_declaration': case 'method_declaration': case 'func_literal': functionNode(raw, parent, role, text); return
    case 'import_declaration': imports(raw, parent, role, text); return
    case 'statement_list': case 'literal_element': for (const part of namedChildren(raw)) convert(part, parent, raw.type === 'statement_list' ? 'statement' : role, text); return
    default:
  }
  if (typeNodes.test(raw.type) && raw.type !== 'type_switch_statement' && raw.type !== 'type_case' && raw.type !== 'type_declaration') return
  const kind = kindOf(raw, text)
  const made = add(parent, node(kind, raw.start, raw.end), role)
  if (kind === 'name') { made.word = text.slice(raw.start, raw.end); return }
  if (kind === 'type' || kind === 'string' || kind === 'number' || kind === 'boolean') return
  if (raw.type === 'default_case') made.flags |= flag.fallback
  parts(raw, made, text)
  if (kind === 'binary' || kind === 'logical' || kind === 'compare') {
    made.word = operatorOf(raw, text)
    made.at = child(raw, 'operator')!.start
  }
}

function parts (raw: RawNode, made: SyntaxNode, text: string): void {
  const known = fields[made.kind]
  for (const part of namedChildren(raw)) {
    if (part.type === 'argument_list') for (const argument of namedChildren(part)) convert(argument, made, 'argument', text)
    else if (part.type === 'for_clause') forClause(part, made, text)
    else if (part.type === 'range_clause') rangeClause(part, made, text)
    else if (part.type === 'literal_value') for (const element of namedChildren(part)) convert(element, made, 'element', text)
    else if (part.type.endsWith('_case')) convert(part, made, 'case', text)
    else convert(part, made, known?.[part.field ?? ''] ?? defaultRole(made), text)
  }
}

function defaultRole (made: SyntaxNode): Role {
  switch (made.kind) {
    case 'return': case 'statement': return 'value'
    case 'block': case 'case': return 'statement'
    case 'paren': case 'spread': return 'operand'
    case 'declare': case 'array': case 'object': return 'element'
    // `for x < 3 {`: the condition has no field.
    case 'loop': return 'test'
    default: return ''
  }
}

function forClause (raw: RawNode, made: SyntaxNode, text: string): void {
  const roles: Record<string, Role> = { initializer: 'init', condition: 'test', update: 'step' }
  for (const part of namedChildren(raw)) convert(part, made, roles[part.field ?? ''] ?? '', text)
}

function rangeClause (raw: RawNode, made: SyntaxNode, text: string): void {
  for (const part of namedChildren(raw)) convert(part, made, part.field === 'left' ? 'init' : 'value', text)
}

function assignment (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const declares = raw.type === 'short_var_declaration'
  const word = declares ? ':=' : operatorOf(raw, text)
  const outer = role === 'statement' ? add(parent, node('statement', raw.start, raw.end), role) : parent
  const made = add(outer, node(word === '=' || declares ? 'assign' : 'augment', raw.start, raw.end), role === 'statement' ? 'value' : role)
  if (declares) made.flags |= flag.fallback
  for (const side of ['left', 'right'] as const) {
    const list = child(raw, side)
    if (!list) continue
    const items = namedChildren(list)
    if (items.length === 1) convert(items[0]!, made, side, text)
    else convert(list, made, side, text)
  }
  made.word = word
  made.at = raw.children.find(part => !part.named && text.slice(part.start, part.end) === word)?.start ?? child(raw, 'operator')?.start ?? -1
}

function update (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const outer = role === 'statement' ? add(parent, node('statement', raw.start, raw.end), role) : parent
  const made = add(outer, node('update', raw.start, raw.end), role === 'statement' ? 'value' : role)
  made.word = raw.type === 'inc_statement' ? '++' : '--'
  for (const part of namedChildren(raw)) convert(part, made, 'operand', text)
}

function functionNode (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('function', raw.start, raw.end), role)
  const receiver = child(raw, 'receiver')
  if (receiver) {
    made.word = /(\w+)\s*(\[[^\]]*\])?\s*\)$/.exec(text.slice(receiver.start, receiver.end))?.[1] ?? ''
    params(receiver, made, text, 'decorator')
  }
  const name = child(raw, 'name')
  if (name) {
    convert(name, made, 'name', text)
    if (/[A-Z]/.test(text[name.start]!)) made.flags |= flag.exported
  }
  const given = child(raw, 'parameters')
  if (given) params(given, made, text, 'param')
  const result = child(raw, 'result')
  if (result) {
    const kept = add(made, node('opaque', result.start, result.end), 'result')
    if (result.type === 'parameter_list') params(result, kept, text, 'param')
  }
  const body = child(raw, 'body')
  if (body) convert(body, made, 'body', text)
}

/** Every name of `a, b int` is a parameter of its own. */
function params (raw: RawNode, made: SyntaxNode, text: string, role: Role): void {
  for (const declaration of namedChildren(raw)) {
    for (const part of declaration.children) if (part.field === 'name') convert(part, made, role, text)
  }
}

function imports (raw: RawNode, parent: SyntaxNode, role: Role, text: string): void {
  const made = add(parent, node('import', raw.start, raw.end), role)
  const visit = (part: RawNode): void => {
    if (part.type !== 'import_spec') { part.children.forEach(visit); return }
    const alias = child(part, 'name')
    const path = child(part, 'path')
    if (!path) return
    const name = node('name', part.start, part.end)
    const last = text.slice(path.start + 1, path.end - 1).replace(/\/v\d+$/, '').split('/').pop()!
    name.word = alias ? text.slice(alias.start, alias.end) : last
    add(made, name, 'name')
  }
  visit(raw)
}
