// How the cluster's values look on the bus: MessagePack maps with a schema version. Who meets a newer one refuses it.

import { Packr } from 'msgpackr'
import { SparError } from '../errors.ts'

export const clusterSchema = 1

/** Plain maps that any reader of MessagePack reads, and that a reader reads after a restart. Bytes are copied: what is kept of a message does not keep what came with it on the wire. */
const packr = new Packr({ useRecords: false, int64AsType: 'number', copyBuffers: true })

export const pack = (value: object): Uint8Array => packr.pack({ schema_version: clusterSchema, ...value })

/** `newest`: schema of this kind of value, where it has one of its own. Throws CLUSTER_SCHEMA_NEWER, CLUSTER_CORRUPT; both name `what`. */
export function unpack<T> (bytes: Uint8Array, what: string, newest = clusterSchema): T {
  let value: unknown
  try {
    value = packr.unpack(bytes)
  } catch (error) {
    throw new SparError('CLUSTER_CORRUPT', `Cannot read ${what}: ${(error as Error).message}`)
  }
  const { schema_version: version } = (value ?? {}) as { schema_version?: unknown }
  if (typeof version !== 'number') throw new SparError('CLUSTER_CORRUPT', `Cannot read ${what}: it has no schema version`)
  if (version > newest) throw new SparError('CLUSTER_SCHEMA_NEWER', `Cannot read ${what}: it was written by a newer version (schema ${version}, this node reads ${newest}). Update this node`)
  return value as T
}
