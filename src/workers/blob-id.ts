// The name that git gives to a content.

import { createHash } from 'node:crypto'

/** 40 hex digits, as `git hash-object` prints them. */
export const blobId = (bytes: Uint8Array): string => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
