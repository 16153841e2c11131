// Arenas that are made up from a number: modules of assignments in Python, and tests that ask for their values. What an arena
// holds follows from its number alone, so it crosses the bus like any other and its tree is made again wherever it is needed.

import type { Arena } from '../domain.ts'
import { createRandom } from '../random.ts'
import type { Tree, TreeFile } from '../workers/diff/index.ts'

/** Modules of one arena; each has a test file of its own. */
const modulesMax = 4
/** Values of a module that a test of their own asks for. */
const rulesMax = 4

export const sourcePath = (module: string): string => `src/${module}.py`
export const testPath = (module: string): string => `tests/test_${module}.py`
export const modules: readonly string[] = Array.from({ length: modulesMax }, (_, index) => `m${index}`)

/** Two modules whose values one test asks for together: neither is told apart from the other by any test. */
export const pairs: readonly (readonly [string, string])[] = [['m0', 'm1'], ['m2', 'm3']]
export const pairName = 'pair'
/** A value that no test asks for. */
export const spareName = 'spare'
export const ruleNames: readonly string[] = Array.from({ length: rulesMax }, (_, index) => `rule_${index}`)

const targetOf = (index: number): string => `simulated:${index}`

export function simulatedArena (index: number): Arena {
  const random = createRandom(index).fork('arena')
  const hex = (digits: number): string => Array.from({ length: digits }, () => random.int(16).toString(16)).join('')
  return {
    id: hex(16),
    target: targetOf(index),
    name: `simulated-${index}`,
    commit: hex(40),
    tree: hex(40),
    image: null,
    imagePath: null,
    dir: `/simulated/${index}`,
    ecosystem: 'python',
    runner: 'pytest',
    testCommand: null,
    mounts: [],
    path: [],
    env: {},
    testFiles: modules.map(module => ({ path: testPath(module), passed: pairs.some(([first]) => first === module) ? rulesMax + 1 : rulesMax, failed: 0 })),
    commits: 1
  }
}

const trees = new Map<string, Tree>()

/** The arena's own tree; the same one each time, so that what was made of it is found again. */
export function treeOf ({ target }: Pick<Arena, 'target'>): Tree {
  const known = trees.get(target)
  if (known !== undefined) return known
  const index = Number(/^simulated:(\d+)$/.exec(target)?.[1])
  if (!Number.isSafeInteger(index)) throw new Error(`Arena "${target}" is none of the simulation's`)
  const made = makeTree(index)
  trees.set(target, made)
  return made
}

export const emptyTree: Tree = new Map()

export const textFile = (text: string): TreeFile => ({ mode: '100644', bytes: Buffer.from(text) })

function makeTree (index: number): Tree {
  const random = createRandom(index).fork('tree')
  const values = new Map(modules.map(module => [module, new Map([...ruleNames, pairName, spareName].map(name => [name, 10 + random.int(90)]))]))
  const valueOf = (module: string, name: string): number => values.get(module)!.get(name)!
  const files = modules.flatMap((module): [string, TreeFile][] => [
    [sourcePath(module), textFile(sourceText(index, module, values.get(module)!))],
    [testPath(module), textFile(testText(module, valueOf))]
  ])
  return new Map([['README.md', textFile(`# Arena ${index} of the simulation\n`)], ...files])
}

/** Lines between the values, so that some changes share a hunk of a diff and others do not. */
const sourceText = (index: number, module: string, values: ReadonlyMap<string, number>): string =>
  `# Module ${module} of arena ${index}.\n${[...values].map(([name, value]) => `\n# What ${name} is.\n${name} = ${value}\n# So much for ${name}.\n`).join('')}`

function testText (module: string, valueOf: (module: string, name: string) => number): string {
  const pair = pairs.find(([first]) => first === module)
  const claim = (of: string, name: string): string => `    assert ${of}.${name} == ${valueOf(of, name)}\n`
  const tests = ruleNames.map(name => `\ndef test_${name}():\n${claim(module, name)}`)
  if (pair !== undefined) tests.push(`\ndef test_pair():\n${pair.map(of => claim(of, pairName)).join('')}`)
  return `# What ${module} promises.\nfrom src import ${(pair ?? [module]).join(', ')}\n${tests.join('')}`
}
