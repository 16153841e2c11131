// The commands that the simulated sandbox knows: those that Spar itself sends, and the one that the simulated policy asks for.
// They are known by their own builders, so that a command that changes is a command that nobody knows: then the simulation has
// lost sight of the product, and says so.

import { runners } from '../arena/runners/index.ts'
import { attemptCommand, attemptFile } from '../rollout/collect.ts'

import type { SandboxFolders } from '../ports.ts'
import { parserCommand, quietly } from '../verify/parser.ts'
import { fingerprintCommand } from '../verify/control.ts'
import { keepCommand, restoreCommand } from '../verify/restore.ts'
import { presentCommand } from '../verify/runs.ts'
import { roomCommand } from '../sandbox/room.ts'
import { scriptCommand } from '../verify/run.ts'
import { contentCommand, gitCommand, listCommand as listSystemCommand, namesCommand, readCommand } from '../verify/leaks/commands.ts'
import { leakLimits } from '../verify/leaks/index.ts'
import { commitCommand, forgetCommand } from '../verify/solver-tree.ts'
import { applyCommand } from '../verify/tree.ts'
import { blobId } from '../workers/blob-id.ts'
import type { Tree, TreeFile } from '../workers/diff/index.ts'
import { printParsed, printRun, type Printed } from './pytest-log.ts'
import { runSuite } from './suite.ts'
import { commitOf, diffTrees, overlaid, patched, perThing, remembered } from './trees.ts'

export const folders: SandboxFolders = { tree: '/testbed', scratch: '/spar' }

/** What a sandbox holds. */
export interface Contents {
  tree: Tree
  scratch: Map<string, Uint8Array>
  /** Test files that were kept aside. */
  originals: readonly (readonly [string, TreeFile])[] | null
  /** The one commit of a solver's tree. */
  base: { id: string; tree: Tree } | null
}

export type CommandName = 'apply' | 'keep' | 'restore' | 'present' | 'forget' | 'commit' | 'diff' | 'test' | 'parse' | 'room' | 'list' | 'fingerprint' | 'search'
type Run = (contents: Contents, stdin: Uint8Array | undefined, argument: string) => Printed
export interface Command {
  name: CommandName
  /** What it says, and how it ends, where the disk is full; null: it writes nothing. */
  full: Printed | null
  run: () => Printed
}

/** What the policy looks at: every source and every test. */
export const listCommand = 'tail -n +1 -- src/*.py tests/*.py'

const answer = (exitCode: number, text: string): Printed => ({ exitCode, output: Buffer.from(text) })
const done = answer(0, '')

const noRoom = 'No space left on device'
const gitFull = answer(128, `error: unable to write file: ${noRoom}\nfatal: unable to write the index: ${noRoom}\n`)
const copyFull = answer(1, `cp: error writing '${folders.tree}': ${noRoom}\n`)
/** See src/sandbox/frame.ts: a command whose input cannot be kept does not run. */
const inputFull = answer(96, `its standard input cannot be kept in the sandbox: ${noRoom}, or the file is in the way\n`)
export const roomLeft = (kilobytes: number): Printed => answer(0, `overlay 51343840 ${51343840 - kilobytes} ${kilobytes} ${kilobytes === 0 ? 100 : 20}% /\n`)

const pathsOf = (stdin: Uint8Array | undefined): string[] =>
  utf8(stdin).split('\0').filter(path => path !== '').map(path => path.replace(/^\.\//, ''))

const apply: Run = (contents, stdin) => {
  const bytes = stdin ?? new Uint8Array()
  if (contents.tree.has('.gitattributes')) throw new Error('The simulation knows no .gitattributes')
  const result = patched(contents.tree, bytes)
  if ('refused' in result) return answer(result.refused.code === 'PATCH_MALFORMED' ? 128 : 1, `error: ${result.refused.message}\n`)
  contents.tree = result.tree
  return done
}

const keep: Run = (contents, stdin) => {
  const paths = pathsOf(stdin)
  const missing = paths.find(path => !contents.tree.has(path))
  if (missing !== undefined) return answer(123, `cp: cannot stat './${missing}': No such file or directory\n`)
  contents.originals = keptFiles(contents.tree, paths.join('\0'))
  return done
}

/** The same files of the same tree are one list, by which trees with them are found again. */
const keptFiles = perThing((tree: Tree, paths) => paths.split('\0').map((path): [string, TreeFile] => [path, tree.get(path)!]))

const restore: Run = contents => {
  if (contents.originals === null) return answer(1, `cp: cannot stat '${folders.scratch}/.originals/.': No such file or directory\n`)
  contents.tree = overlaid(contents.tree, contents.originals)
  contents.originals = null
  return done
}

const present: Run = ({ tree }, stdin) => answer(0, pathsOf(stdin).map(path => tree.has(path) ? '1\n' : '0\n').join(''))

const fingerprint: Run = ({ tree }, stdin) => answer(0, pathsOf(stdin).map(path => {
  const file = tree.get(path)
  return file === undefined ? 'none\n' : `${file.mode === '100755' ? 'executable\n' : ''}${blobId(file.bytes)}\n`
}).join(''))

const commit: Run = contents => {
  const id = commitOf(contents.tree, 'Initial commit\n')
  contents.base = { id, tree: contents.tree }
  return answer(0, `${id}\n`)
}

// The search for leaks: the arenas have one file of each name, and a text that two of them hold is not looked for.

const foundNothing: Run = () => done

const gitOfCommit: Run = ({ base }) => answer(0, `\0refs/heads/main ${base?.id ?? ''}\n\0\0`)

const readFiles: Run = ({ tree }, stdin) => {
  const kept = pathsOf(stdin).map(path => tree.get(path))
  const there = kept.flatMap(file => file === undefined ? [] : [file.bytes])
  const numbers = kept.flatMap((file, index) => file === undefined ? [] : `${index} `).join('')
  return { exitCode: 0, output: Buffer.concat([Buffer.from(`${numbers}\n${there.map(bytes => `${bytes.length} 946684800\n`).join('')}`), ...there]) }
}

const diff: Run = ({ tree, base, scratch }, _stdin, id) => {
  if (base === null || base.id !== id) return answer(128, `fatal: bad object ${id}\n`)
  scratch.set(attemptFile(folders), diffTrees(base.tree, tree))
  return done
}

const runOf = perThing((tree: Tree, files) => printRun(runSuite(tree, files.split('\0'))))

/** The files that a script of the runner's names. */
const filesOf = remembered(script => {
  const files = [...(/^files=\(\n([^)]*)\)$/m.exec(script)?.[1] ?? '').matchAll(/^ {2}'(.*)'$/gm)].map(match => match[1]!)
  if (script !== runners.pytest.script(files)) throw new Error(`The simulation knows no test script but pytest's own:\n${script}`)
  return files.join('\0')
})

const utf8 = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')

const test: Run = ({ tree }, stdin) => runOf(tree, filesOf(utf8(stdin)))

/** A parser that reads nothing, for bugs that are to be refused. */
export const silentParser = '#!/usr/bin/env python3\n'
const parserPath = `${folders.scratch}/${runners.pytest.parser.name}`
const parsed = new WeakMap<Uint8Array, Printed>()

const parse: Run = ({ scratch }, stdin) => {
  const source = utf8(scratch.get(parserPath))
  if (source === silentParser) return done
  if (source !== runners.pytest.parser.source) throw new Error(`The simulation knows no parser but pytest's own:\n${source}`)
  const log = stdin ?? new Uint8Array()
  const known = parsed.get(log) ?? printParsed(log)
  parsed.set(log, known)
  return known
}

const listOf = perThing((tree: Tree) => {
  const paths = [...tree.keys()].filter(path => /^(?:src|tests)\/[^/.][^/]*\.py$/.test(path))
  const shown = [...paths.filter(path => path.startsWith('src/')).sort(), ...paths.filter(path => path.startsWith('tests/')).sort()]
  return { exitCode: 0, output: Buffer.concat(shown.flatMap((path, index) => [Buffer.from(`${index === 0 ? '' : '\n'}==> ${path} <==\n`), tree.get(path)!.bytes])) }
})

// ---- how they are known ---------------------------------------------------------------------------------------------

interface Known { name: CommandName; full: Printed | null; run: Run }

const writable = [folders.scratch, '/tmp']
const listCommandOfSystem = listSystemCommand(['/'], [folders.tree, ...writable], leakLimits)

const exact = new Map<string, Known>([
  [keepCommand(folders), { name: 'keep', full: inputFull, run: keep }],
  [restoreCommand(folders), { name: 'restore', full: copyFull, run: restore }],
  [presentCommand(folders), { name: 'present', full: inputFull, run: present }],
  [fingerprintCommand(folders), { name: 'fingerprint', full: inputFull, run: fingerprint }],
  [forgetCommand(folders), { name: 'forget', full: null, run: () => done }],
  [commitCommand(folders), { name: 'commit', full: gitFull, run: commit }],
  [scriptCommand(folders), { name: 'test', full: inputFull, run: test }],
  [quietly(parserCommand(parserPath, new Uint8Array())!), { name: 'parse', full: inputFull, run: parse }],
  [roomCommand(folders), { name: 'room', full: roomLeft(0), run: () => roomLeft(41_075_072) }],
  [contentCommand(writable, folders, leakLimits), { name: 'search', full: inputFull, run: foundNothing }],
  [listCommandOfSystem, { name: 'search', full: null, run: foundNothing }],
  [readCommand(folders, leakLimits.originalBytesMax), { name: 'search', full: inputFull, run: readFiles }],
  [listCommand, { name: 'list', full: null, run: contents => listOf(contents.tree, '') }]
])

/** Stands where an argument does. */
const hole = '\u0001'
const pattern = (command: string): { before: string; after: string } => {
  const at = command.indexOf(hole)
  return { before: command.slice(0, at), after: command.slice(at + hole.length) }
}

const withArgument: readonly (Known & { before: string; after: string })[] = [
  { name: 'apply', full: inputFull, run: apply, ...pattern(applyCommand(folders, [hole]).replace(`'./${hole}'`, hole)) },
  { name: 'diff', full: gitFull, run: diff, ...pattern(attemptCommand(folders, hole)) },
  { name: 'search', full: null, run: gitOfCommit, ...pattern(gitCommand(folders, hole)) },
  { name: 'search', full: null, run: foundNothing, ...pattern(namesCommand([folders.tree, ...writable], [], folders, [], leakLimits).replace('\\( -name', `\\( ${hole}-name`)) }
]

/** What a command does to these contents once it is run. Throws for one that nobody knows. */
export function commandOf (text: string, contents: Contents, stdin: Uint8Array | undefined): Command {
  const known = exact.get(text)
  if (known !== undefined) return { name: known.name, full: known.full, run: () => known.run(contents, stdin, '') }
  for (const { name, full, run, before, after } of withArgument) {
    if (text.startsWith(before) && text.endsWith(after)) return { name, full, run: () => run(contents, stdin, text.slice(before.length, text.length - after.length)) }
  }
  throw new Error(`The simulated sandbox knows no such command: ${text}`)
}
