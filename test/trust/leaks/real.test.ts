// Goal: in trees that people wrote, short bugs of one line leak nothing. Method: packages that are installed here as arenas, each
// with the others as its environment; every few lines of their sources one is changed, as a bug.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createBug } from '../../../src/artifact/index.ts'
import { createLeakMemory, scanSolverTree } from '../../../src/verify/leaks/index.ts'
import { prepareSolverTree } from '../../../src/verify/solver-tree.ts'
import { createRandom } from '../../../src/random.ts'
import { diffLines } from '../../../src/workers/diff/index.ts'
import { readFiles } from '../../artifact/git.ts'
import { openLab } from './fixture.ts'

/** Packages whose sources stand in them once. */
const packages = ['ws', 'pino', 'undici']
const bugsOfEach = 8
const lab = await openLab(t)
const modules = join(process.cwd(), 'node_modules')

for (const name of packages) {
  t.test(name, async t => {
    const tree = readFiles(join(modules, name))
    const others = packages.filter(other => other !== name).map(other => [`lib/${other}`, readFiles(join(modules, other))] as const)
    const env = Object.fromEntries(others.flatMap(([folder, files]) => Object.entries(files).map(([path, file]) => [`${folder}/${path}`, file])))
    const arena = lab.arena({ tree, env })
    const random = createRandom(1).fork(name)
    const sources = Object.keys(tree).filter(path => /^(?:lib|index|src)\b.*\.js$/.test(path))
    t.ok(sources.length >= 3 && readdirSync(modules).length > 0)
    const memory = createLeakMemory()
    for (let number = 0; number < bugsOfEach; number++) {
      const path = random.pick(sources)
      const lines = tree[path]!.bytes.toString('latin1').split('\n')
      const candidates = lines.flatMap((line, at) => /[-+]|===|&&|return|true|false/.test(line) && /\S{3}/.test(line) && !/^\s*(?:\/\/|\*)/.test(line) ? [at] : [])
      if (candidates.length === 0) continue
      const at = random.pick(candidates)
      const line = lines[at]!
      const broken = line.replace(/===|&&|\+|-|return|true|false/, word => ({ '===': '!==', '&&': '||', '+': '-', '-': '+', return: 'void', true: 'false', false: 'true' })[word]!)
      const bug = createBug({
        testScript: new Uint8Array(), testFiles: new Uint8Array(), testParser: new Uint8Array(), parserName: 'test_parser.sh', testWeaken: new Uint8Array(), predPatch: null,
        bugInject: diffLines(tree[path]!.bytes, Buffer.from(lines.with(at, broken).join('\n'), 'latin1'), { path, ...tree[path]!.executable ? { beforeMode: '100755', afterMode: '100755' } : {} })
      })
      const sandbox = await lab.open(arena)
      try {
        const commit = await prepareSolverTree(sandbox, bug)
        const findings = await scanSolverTree(sandbox, { bug, arena, commit }, memory)
        // What this machine has installed for all is its own affair.
        t.same(findings.filter(finding => finding.includes('/testbed/') || finding.includes(arena.dir) || finding.startsWith('leak-unscanned')), [], `${path}:${at + 1} ${line.trim()}`)
      } finally { await sandbox.destroy() }
    }
  })
}

