// A TreeReader over a folder of the host. Links are not followed: a tree may hold one that leads to the host's own files.

import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { TreeReader } from './runners/types.ts'

export function folderReader (folder: string, paths: readonly string[], bytesMax: number): TreeReader {
  return {
    list: async () => [...paths],
    read: async path => {
      if (!await isPlain(folder, path)) return null
      const handle = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null)
      if (handle === null) return null
      try {
        const stat = await handle.stat()
        if (!stat.isFile() || stat.size > bytesMax) return null
        return new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile())
      } catch {
        return null
      } finally {
        await handle.close()
      }
    }
  }
}

/** No folder on the way is a link. */
async function isPlain (folder: string, path: string): Promise<boolean> {
  const parts = path.split('/')
  if (parts.includes('..')) return false
  for (let count = 1; count < parts.length; count++) {
    const stat = await lstat(join(folder, ...parts.slice(0, count))).catch(() => null)
    if (stat === null || !stat.isDirectory()) return false
  }
  return true
}
