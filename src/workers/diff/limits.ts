// What a patch may cost: caps on size and counts, held while it is read, before anything of that size is made. They are
// wide; who takes patches from strangers sets narrower ones (see src/artifact/patch.ts).

import { SparError } from '../../errors.ts'

export interface DiffLimits {
  /** Bytes of the whole patch. */
  patchBytesMax: number
  /** File sections. */
  filesMax: number
  /** Hunks of all files together. */
  hunksMax: number
  /** Bytes of one binary file, unpacked. */
  binaryBytesMax: number
  /** Bytes of all binary blocks together, unpacked. */
  binaryTotalBytesMax: number
}

export const diffLimits: DiffLimits = {
  patchBytesMax: 256 * 2 ** 20,
  filesMax: 100_000,
  hunksMax: 4_000_000,
  binaryBytesMax: 64 * 2 ** 20,
  binaryTotalBytesMax: 256 * 2 ** 20
}

/** Throws PATCH_TOO_LARGE where `found` is over the limit of that name. */
export function holdLimit (limits: DiffLimits, name: keyof DiffLimits, found: number, what: string): void {
  if (found > limits[name]) {
    throw new SparError('PATCH_TOO_LARGE', `Cannot read a patch with ${found} ${what}: the limit is ${limits[name]} (${name})`, { data: { [name]: limits[name], found } })
  }
}
