// The patch of a trick. git does not make some of them (a file in the place of a folder, paths in .git), so these are written by hand.

import { diffOf, type Content, type Files } from '../../artifact/git.ts'
import { changed } from '../../verify/fixture.ts'
import type { GraderCase } from './cases.ts'

export function patchOfCase ({ changes }: Pick<GraderCase, 'changes'>, tree: Files): Uint8Array {
  const byHand = Object.entries(changes).filter(([path]) => path.startsWith('.git/') || Object.keys(tree).some(other => other.startsWith(`${path}/`)))
  const plain = Object.fromEntries(Object.entries(changes).filter(([path]) => !byHand.some(([other]) => other === path)))
  return Buffer.concat([diffOf(tree, changed(tree, plain)).patch, ...byHand.map(added)])
}

const added = ([path, { bytes }]: [string, Content]): Buffer =>
  Buffer.from(`diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${bytes.toString()}`)
