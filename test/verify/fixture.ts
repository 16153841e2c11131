// A small real repository, a valid artifact over it, and verification in real process sandboxes. Tests vary one part of
// the artifact. The repository has what is awkward: carriage returns, latin-1, binary data, odd names.

import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { verifyBug } from '../../actors/verifier.ts'
import { createBug } from '../../src/artifact/index.ts'
import type { Arena, ArtifactFiles, Bug, BugParams, InverseMode, Verdict } from '../../src/domain.ts'
import type { Sandboxes } from '../../src/ports.ts'
import { createProcessSandboxes } from '../../src/sandbox/index.ts'
import { createNotes } from '../../src/reverify/notes.ts'
import { followVerdict } from '../../src/reverify/verdict.ts'
import { type VerifyLimits, type VerifyPorts } from '../../src/verify/index.ts'
import { verifyPorts } from '../../src/verify/ports.ts'
import { diffOf, text, writeFiles, type Content, type Files } from '../artifact/git.ts'

const harness = `
const { basename } = require('node:path')
global.check = (name, run) => {
  try { run(); console.log('ok ' + global.file + '::' + name) } catch (error) { console.log('not ok ' + global.file + '::' + name); process.exitCode = 1 }
}
global.same = (a, b) => { if (a !== b) throw new Error(a + ' is not ' + b) }
for (const file of process.argv.slice(2)) {
  global.file = file
  try { require('../' + file) } catch (error) { console.log('cannot collect ' + basename(file) + ' ' + error.message); process.exitCode = 1 }
}
`
export const oddName = 'src/it\'s "ö" dir/x y.js'

export const original: Files = {
  'README.md': text('# fixture\n'),
  'package.json': text('{"name":"fixture"}\n'),
  'src/add.js': text('exports.add = (a, b) => a + b\nexports.sub = (a, b) => a - b\n'),
  'src/words.js': text('exports.up = word => word.toUpperCase()\nexports.down = word => word.toLowerCase()\n'),
  'src/crlf.js': { bytes: Buffer.from('// caf\xe9\r\nexports.name = "\xfc"\r\nexports.size = 1\r\n', 'latin1') },
  'src/data.bin': { bytes: Buffer.from([0, 1, 2, 255, 10, 13, 0]) },
  [oddName]: text('exports.odd = () => 1\n'),
  'src/unused.js': text('exports.unused = 1\n'),
  'src/pair-a.js': text('exports.a = true\n'),
  'src/pair-b.js': text('exports.b = true\n'),
  'test/run.js': text(harness),
  'test/numbers.test.js': text("const { add, sub } = require('../src/add.js')\ncheck('adds', () => same(add(1, 2), 3))\n\n\n\n\ncheck('subtracts', () => same(sub(3, 1), 2))\n\n\n\n\ncheck('zero', () => same(add(0, 0), 0))\n"),
  'test/words.test.js': text("const { up, down } = require('../src/words.js')\ncheck('up', () => same(up('a'), 'A'))\ncheck('down', () => same(down('A'), 'a'))\n"),
  'test/files.test.js': text("const { readFileSync } = require('node:fs')\nconst { join } = require('node:path')\ncheck('size', () => same(require('../src/crlf.js').size, 1))\n" +
    `check('data', () => same(readFileSync(join(__dirname, '../src/data.bin'))[3], 255))\ncheck('odd', () => same(require('../' + ${JSON.stringify(oddName)}).odd(), 1))\n` +
    "check('pair', () => same(require('../src/pair-a.js').a && require('../src/pair-b.js').b, true))\n")
}

const script = (files: readonly string[]): string => `node test/run.js ${files.join(' ')}\n`
/** Programs that start fast: the parser runs twice a log. */
const parser = `#!/usr/bin/env bash
awk 'BEGIN { printf "{" } match($0, /^(not )?ok /) { name = substr($0, RLENGTH + 1); printf "%s\\"%s\\":\\"%s\\"", sep, name, /^ok/ ? "passed" : "failed"; sep = "," } END { print "}" }'
`

export interface Recipe {
  /** Files after the bug; null removes one. */
  bug: Record<string, Content | null>
  /** Test files after the weakening. */
  weaken: Record<string, Content | null>
  flags?: string[]
  files?: Partial<Record<'testScript' | 'testFiles' | 'testParser' | 'bugInject' | 'testWeaken', string | Uint8Array>> & { parserName?: string }
  /** Files of the original that differ from `original`. */
  original?: Record<string, Content | null>
}

export const changed = (files: Files, changes: Record<string, Content | null>): Files => {
  const after = { ...files }
  for (const [path, content] of Object.entries(changes)) {
    if (content === null) delete after[path]
    else after[path] = content
  }
  return after
}

export const valid: Recipe = {
  bug: { 'src/add.js': text('exports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n') },
  weaken: { 'test/numbers.test.js': text("const { add, sub } = require('../src/add.js')\n\n\n\n\ncheck('subtracts', () => same(sub(3, 1), 2))\n\n\n\n\ncheck('zero', () => same(add(0, 0), 0))\n") }
}

export function makeBug (recipe: Recipe): Bug {
  const before = changed(original, recipe.original ?? {})
  const buggy = changed(before, recipe.bug)
  const tests = Object.keys(before).filter(path => path.endsWith('.test.js'))
  const bytes = (content: string | Uint8Array): Uint8Array => typeof content === 'string' ? new Uint8Array(Buffer.from(content)) : new Uint8Array(content)
  const { parserName = 'test_parser.sh', ...given } = recipe.files ?? {}
  const own = {
    testScript: script(tests),
    testFiles: tests.join('\n') + '\n',
    testParser: parser,
    bugInject: given.bugInject ?? diffOf(before, buggy, recipe.flags).patch,
    testWeaken: given.testWeaken ?? diffOf(buggy, changed(buggy, recipe.weaken)).patch
  }
  const files = Object.fromEntries(Object.entries({ ...own, ...given }).map(([name, content]) => [name, bytes(content)]))
  return createBug({ ...files, parserName, predPatch: null } as unknown as ArtifactFiles)
}

export interface Lab {
  ports: VerifyPorts
  sandboxes: Sandboxes
  arena (changes?: Record<string, Content | null>): Arena
  verify (recipe: Recipe, options?: { params?: Partial<BugParams>; mode?: InverseMode; limits?: Partial<VerifyLimits>; repeats?: number; ports?: Partial<VerifyPorts>; signal?: AbortSignal }): Promise<Verdict>
  /** Folders of sandboxes that are still there. */
  left (): string[]
}

/** Sandboxes, caches and arenas for one test file, removed at its end. */
export async function openLab (t: Test): Promise<Lab> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'spar-verify-')))
  // None made ahead: what is left is what somebody forgot.
  const sandboxes = await createProcessSandboxes({ home, prepared: 0 })
  t.teardown(async () => {
    await sandboxes.close()
    rmSync(home, { recursive: true, force: true })
  })
  const ports: VerifyPorts = verifyPorts(sandboxes, { cores: 2 })
  const arenas = new Map<string, Arena>()
  const arena = (changes: Record<string, Content | null> = {}): Arena => {
    const key = JSON.stringify(Object.entries(changes).map(([path, content]) => [path, content?.bytes.toString('latin1')]))
    const known = arenas.get(key)
    if (known !== undefined) return known
    const dir = join(home, `arena ${arenas.size}`)
    mkdirSync(join(dir, 'git'), { recursive: true })
    writeFiles(join(dir, 'tree'), changed(original, changes))
    const made: Arena = {
      id: String(arenas.size).padStart(16, '0'), target: 'fixture', name: 'fixture', commit: '0'.repeat(40), tree: '0'.repeat(40), image: null, imagePath: null, dir, ecosystem: 'node', runner: 'custom',
      testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: 1
    }
    arenas.set(key, made)
    return made
  }
  return {
    ports,
    sandboxes,
    arena,
    async verify (recipe, { params = {}, mode = 'strict', limits = {}, repeats = 2, ports: other = {}, signal } = {}) {
      const about = { bug: makeBug(recipe), arena: arena(recipe.original), params: { minPassing: 3, minFiles: 1, minFailing: 1, ...params }, mode }
      const verdict = await verifyBug({ ...about, run: 'test', repeats, limits }, { ...ports, ...other }, signal)
      // What is kept of a run is enough to say the same: see src/reverify.
      const notes = createNotes()
      if (verdict.decided) await followVerdict('verify', verdict, about, notes)
      t.strictSame(notes.differences, [], 'it follows from its own evidence')
      return verdict
    },
    left: () => readdirSync(join(home, 'sandboxes')).filter(name => /^[0-9a-f]{12}$/.test(name))
  }
}

export const verdicts = (verdict: Verdict): string => verdict.checks.map(check => `${check.name}:${check.verdict}`).join(' ')
