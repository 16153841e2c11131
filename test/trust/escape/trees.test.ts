// Goal: what a repository holds stays in its tree, whatever it is called or points at, and is the same in every kind of
// sandbox. Method: a hostile tree, packed into an image of a real engine and copied for a process. Patches and archives have
// tests of their own (test/verify/tree.test.ts, test/artifact/patch.test.ts, test/arena/archive.test.ts).

import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { createDockerSandboxes } from '../../../src/sandbox/docker/index.ts'
import { createProcessSandboxes } from '../../../src/sandbox/process/index.ts'
import type { Sandboxes } from '../../../src/ports.ts'
import { findTestEngine, makeArenaFolder, run, specOf } from '../../helpers/sandbox-fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'spar-trees-test-'))
const secret = join(homedir(), `.spar-trees-${process.pid}`)
writeFileSync(secret, 'secret of the host')
const kinds: Sandboxes[] = []
t.teardown(async () => {
  for (const sandboxes of kinds) await sandboxes.close()
  rmSync(folder, { recursive: true, force: true })
  rmSync(secret, { force: true })
  for (const sandboxes of kinds) if (sandboxes.kind === 'docker') await sandboxes.reap()
})
t.before(async () => {
  kinds.push(await createProcessSandboxes({ home: join(folder, 'home') }))
  const found = await findTestEngine()
  if ('docker' in found) kinds.push(await createDockerSandboxes({ docker: found.docker, home: join(folder, 'home') }))
  else if (process.env['CI'] !== undefined) throw new Error(found.reason)
})

function arenaWith (name: string, fill: (tree: string) => void) {
  const own = join(folder, name)
  mkdirSync(own)
  const arena = makeArenaFolder(own)
  fill(join(arena.dir, 'tree'))
  return { ...arena, id: name.padEnd(16, '0') }
}

t.test('links, odd names, pipes and rights', async t => {
  const arena = arenaWith('odd', tree => {
    symlinkSync(secret, join(tree, 'absolute'))
    symlinkSync(`../../../../../../..${secret}`, join(tree, 'upwards'))
    symlinkSync('/root', join(tree, 'folder'))
    for (const name of ['-rf', '--checkpoint-action=exec=touch ran', 'new\nline', '$(touch ran)', ' ', 'C:\\x', '@list', '\x1b]0;x\x07']) writeFileSync(join(tree, name), name)
    linkSync(join(tree, '-rf'), join(tree, 'hard'))
    execFileSync('mkfifo', [join(tree, 'pipe')])
    chmodSync(join(tree, 'a.txt'), 0o755)
  })
  const listings = await Promise.all(kinds.map(async sandboxes => {
    const sandbox = await sandboxes.open(specOf(arena))
    t.teardown(() => sandbox.destroy())
    t.notMatch((await run(sandbox, 'cat absolute upwards folder/.*')).text, /secret of the host/)
    t.match(await run(sandbox, 'echo changed >>absolute; echo changed >>upwards; ./a.txt 2>/dev/null; id -u'), { text: /\d+\n$/ })
    return (await run(sandbox, 'find . ! -name . -printf "%y %m %n %l %P\\0" | sort -z')).text
  }))
  t.match(listings[0], /p 644 1/)
  for (const listing of listings) t.equal(listing, listings[0], 'the same in every kind')
  t.equal(execFileSync('cat', [secret], { encoding: 'utf8' }), 'secret of the host')
  t.notOk(existsSync(join(arena.dir, 'tree', 'ran')))
})

t.test('a name that means "removed" in a layer is refused, not obeyed', async t => {
  const arena = arenaWith('whiteout', tree => {
    mkdirSync(join(tree, 'zone'))
    for (const name of ['kept.txt', '.wh.kept.txt']) writeFileSync(join(tree, 'zone', name), 'x')
  })
  for (const sandboxes of kinds) {
    if (sandboxes.kind === 'docker') await t.rejects(sandboxes.open(specOf(arena)), { code: 'SANDBOX_NO_IMAGE', message: /\.wh\.kept\.txt/ })
    else {
      const sandbox = await sandboxes.open(specOf(arena))
      t.teardown(() => sandbox.destroy())
      t.equal((await run(sandbox, 'ls -A zone')).text, '.wh.kept.txt\nkept.txt\n')
    }
  }
})
