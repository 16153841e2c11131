// Goal: a patch changes nothing but regular files inside the tree, byte for byte. Method: crafted patches in a real sandbox.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Sandbox } from '../../src/ports.ts'
import { verifyLimits } from '../../src/verify/index.ts'
import { applyPatch } from '../../src/verify/tree.ts'
import { diffOf } from '../artifact/git.ts'
import { openLab } from './fixture.ts'

const bytes = (content: string): { bytes: Buffer } => ({ bytes: Buffer.from(content, 'latin1') })
const edit = (path: string): Buffer => Buffer.from(`diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-a\n+b\n`)

async function open (t: Parameters<typeof openLab>[0], prepare: (tree: string) => void): Promise<Sandbox> {
  const lab = await openLab(t)
  const arena = lab.arena({ 'lib/a.txt': bytes('a\n') })
  prepare(join(arena.dir, 'tree'))
  return await lab.sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'patch' } })
}
const apply = async (sandbox: Sandbox, patch: Uint8Array): Promise<string | null> => await applyPatch(sandbox, { name: 'p', bytes: patch }, verifyLimits)
const read = async (sandbox: Sandbox, path: string): Promise<string> => Buffer.from(await sandbox.readFile(path, 1000)).toString('latin1')

t.test('a patch through a link of the tree does not apply', async t => {
  const sandbox = await open(t, tree => {
    symlinkSync('lib/a.txt', join(tree, 'link.txt'))
    symlinkSync('lib', join(tree, 'folder'))
    symlinkSync('/tmp', join(tree, 'outside'))
  })
  t.match(await apply(sandbox, edit('link.txt')), /symbolic link/)
  t.match(await apply(sandbox, edit('folder/a.txt')), /symbolic link/)
  t.match(await apply(sandbox, diffOf({}, { 'outside/x.txt': bytes('x\n') }).patch), /symbolic link/)
  t.equal(await read(sandbox, 'lib/a.txt'), 'a\n')
  t.equal(await apply(sandbox, edit('lib/a.txt')), null)
})

t.test('carriage returns and latin-1 stay as they are', async t => {
  const [before, after] = ['caf\xe9\r\nx\r\n', 'caf\xe9\r\ny\r\n']
  const sandbox = await open(t, tree => writeFileSync(join(tree, 'lib/crlf.txt'), Buffer.from(before, 'latin1')))
  t.equal(await apply(sandbox, diffOf({ 'lib/crlf.txt': bytes(before) }, { 'lib/crlf.txt': bytes(after) }).patch), null)
  t.equal(await read(sandbox, 'lib/crlf.txt'), after)
})

t.test('a diff that git took under eol=crlf applies to the files that git wrote under it', async t => {
  const sandbox = await open(t, tree => {
    writeFileSync(join(tree, '.gitattributes'), '*.txt text eol=crlf\n')
    writeFileSync(join(tree, 'lib/crlf.txt'), 'a\r\nx\r\n')
  })
  t.equal(await apply(sandbox, diffOf({ 'lib/crlf.txt': bytes('a\nx\n') }, { 'lib/crlf.txt': bytes('a\ny\n') }).patch), null)
  t.equal(await read(sandbox, 'lib/crlf.txt'), 'a\r\ny\r\n')
})

t.test('a patch applies wholly or not at all, and leaves nothing beside the tree', async t => {
  const sandbox = await open(t, tree => mkdirSync(join(tree, 'empty')))
  t.match(await apply(sandbox, Buffer.concat([edit('lib/a.txt'), edit('lib/none.txt')])), /none/)
  t.equal(await read(sandbox, 'lib/a.txt'), 'a\n')
  const { output } = await sandbox.exec(`find ${sandbox.scratch} -type f -size +0`, { timeoutMs: 9000, outputBytesMax: 1000 })
  t.equal(Buffer.from(output).toString(), '')
})
