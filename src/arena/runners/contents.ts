// Reads the candidates of a tree, a few at a time, and at most so many.

import type { TreeReader } from './types.ts'

/** More candidates than this are not looked at: enough to tell the runner, and more tests than an episode runs. */
export const candidatesMax = 1000
const readsAtOnce = 8

export async function readAll (tree: TreeReader, paths: readonly string[]): Promise<{ path: string; text: string }[]> {
  const wanted = paths.slice(0, candidatesMax)
  const texts: (string | null)[] = wanted.map(() => null)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < wanted.length) {
      const index = next++
      texts[index] = await tree.read(wanted[index]!)
    }
  }
  await Promise.all(Array.from({ length: readsAtOnce }, worker))
  return wanted.flatMap((path, index) => texts[index] === null ? [] : [{ path, text: texts[index]! }])
}

/** Whether a folder of the path has one of these names. */
export function inFolder (path: string, names: ReadonlySet<string>): boolean {
  return path.split('/').slice(0, -1).some(part => names.has(part))
}
