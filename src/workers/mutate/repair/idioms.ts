// What anybody would try without having seen it in the repository: short statements and conditions of each language, as
// templates. `$` stands for a name or access path at hand; a file's own code outweighs them.

import type { Kind } from '../syntax.ts'
import { node } from '../syntax.ts'
import type { Language } from '../types.ts'
import type { Stock } from './stock.ts'
import type { Shelf, Template } from './templates.ts'

/** As if seen so often in other files. */
const idiomCount = 3

const jumps = ['return $;', 'return;', 'return true;', 'return false;', 'break;', 'continue;']
const javascriptJumps = [...jumps, 'return this;', 'return null;', 'return undefined;', 'return [];', 'return {};', "return '';", 'return 0;']
const javascriptGuards = ['if (!$) return;', 'if ($) return;', 'if (!$) return null;', 'if (!$) return false;', 'if (!$) continue;', 'if (!$) return $;', 'if ($) return $;', 'if ($) break;']
const javascriptSimple = ['this.$ = $;', '$++;', '$--;', '$ = null;', '$ = true;', '$ = false;', '$ = 0;', '$();', '$ += $;', '$ = $;', '$.push($);', '$($);']
const javascriptConditions = ['$', '!$', '$ === undefined', '$ !== undefined', '$ === null', '$ !== null', '$ == null', '$ != null', '$.length', '$ > 0', '$ === 0', "typeof $ === 'string'", "typeof $ === 'function'", "typeof $ === 'object'", 'Array.isArray($)']

const statements: Record<Language, { jumps: string[]; guards: string[]; simple: string[] }> = {
  javascript: { jumps: javascriptJumps, guards: javascriptGuards, simple: javascriptSimple },
  typescript: { jumps: javascriptJumps, guards: javascriptGuards, simple: javascriptSimple },
  python: {
    jumps: ['return $', 'return', 'return True', 'return False', 'return None', 'return self', 'return []', 'return {}', 'break', 'continue'],
    guards: ['if not $:\n    return', 'if $ is None:\n    return None', 'if not $:\n    return False', 'if not $:\n    continue', 'if not $:\n    return $', 'if $:\n    return $', 'if $ is None:\n    return $'],
    simple: ['self.$ = $', '$ += 1', '$ -= 1', '$ = None', '$ = True', '$ = False', '$()', '$.append($)', '$ += $', '$ = $']
  },
  go: {
    jumps: [...jumps, 'return nil', 'return $, nil', 'return nil, $'],
    guards: ['if $ == nil {\n\treturn nil\n}', 'if $ != nil {\n\treturn $\n}', 'if $ == nil {\n\treturn\n}', 'if $ {\n\tcontinue\n}'],
    simple: ['$++', '$--', '$ = nil', '$ = true', '$ = false', '$()', '$ += $', '$ = $']
  }
}

const conditions: Record<Language, string[]> = {
  javascript: javascriptConditions,
  typescript: javascriptConditions,
  python: ['$', 'not $', '$ is None', '$ is not None', 'len($)', '$ > 0', '$ == 0', 'isinstance($, str)', 'isinstance($, (list, tuple))'],
  go: ['$', '!$', '$ == nil', '$ != nil', 'len($) > 0', 'len($) == 0', '$ > 0', '$ == 0', '$ == ""', '$ != ""']
}

/** The shelves of the repository with the idioms beside. */
export function statementIdioms (stock: Stock): Pick<Stock['shelves'], 'jumps' | 'guards' | 'simple'> {
  const { language, text } = stock.source
  const end = language === 'python' || language === 'go' || !/;\r?\n/.test(text) ? '' : ';'
  const known = statements[language]
  const shelve = (name: 'jumps' | 'guards' | 'simple', kindOf: (text: string) => Kind): Shelf => extended(stock.shelves[name], known[name].map(idiom => templateFor(kindOf(idiom), idiom.replaceAll(';', end))))
  return {
    jumps: shelve('jumps', idiom => idiom.startsWith('return') ? 'return' : idiom.startsWith('break') ? 'break' : 'continue'),
    guards: shelve('guards', () => 'if'),
    simple: shelve('simple', () => 'statement')
  }
}

export function conditionIdioms (stock: Stock): Shelf {
  return extended(stock.shelves.conditions, conditions[stock.source.language].map(idiom => templateFor('opaque', idiom)))
}

function extended (shelf: Shelf, templates: Template[]): Shelf {
  const copy = new Map(shelf)
  for (const template of templates) if (!copy.has(template.key)) copy.set(template.key, template)
  return copy
}

/** `this.$ = $` means the same name twice, elsewhere every `$` is a name of its own; a single one may be a path. */
function templateFor (kind: Kind, text: string): Template {
  const pieces = text.split('$')
  const same = /^(this|self)\./.test(text)
  const holes = pieces.slice(1).map((_, index) => same ? 0 : index)
  const coarse = holes.length === 1
  const mark = coarse ? '\u0001' : '\0'
  const key = pieces.map((piece, index) => piece.replace(/\s+/g, ' ') + (holes[index] === undefined ? '' : mark + holes[index])).join('')
  return { key, node: node(kind, 0, text.length), pieces, holes, slots: new Set(holes).size, fixed: [], indent: '', coarse, instances: [], own: 0, other: idiomCount }
}
