// A binary section applied. Its index line must name both contents in full, and both are held against what is there.

import type { SparError } from '../../errors.ts'
import { blobId } from '../blob-id.ts'
import { applyDelta, blockMethod, inflateBlock } from './binary.ts'
import { refuse } from './check.ts'
import { file, type PatchIndex } from './patch-index.ts'
import type { Section } from './section.ts'

const nothing = new Uint8Array(0)

export function applyBinary (before: Uint8Array, section: Section, index: PatchIndex, reverse: boolean, withoutBlocks: boolean, sizeMax: number): Uint8Array {
  const { oldId, newId } = section
  const path = section.oldPath ?? section.newPath!
  const conflict = (why: string): SparError => refuse('PATCH_CONFLICT', path, why)
  if (![oldId, newId].every(id => /^[0-9a-f]{40}$/i.test(id))) throw refuse('PATCH_MALFORMED', path, 'a binary patch needs an index line with both ids in full (take the diff with --full-index)')
  if (section.oldPath !== null && blobId(before) !== oldId) throw conflict('its content is not the one that the binary patch is for')
  if (section.oldPath === null && before.length > 0) throw conflict('the binary patch is for an empty file')
  if (/^0+$/.test(newId)) return nothing
  const after = withoutBlocks ? null : unpacked(before, section, index, reverse, sizeMax)
  if (after === null) throw refuse('PATCH_MALFORMED', path, `the binary patch has no content for the way ${reverse ? 'back' : 'forward'}, or one that does not fit`)
  if (blobId(after) !== newId) throw conflict('the binary patch makes another content than its index line says')
  return after
}

function unpacked (before: Uint8Array, section: Section, index: PatchIndex, reverse: boolean, sizeMax: number): Uint8Array | null {
  const block = index.block(section.index, reverse ? file.back : file.forward)
  if (block.method === blockMethod.none) return null
  const bytes = inflateBlock(index.plain.bytes, block)
  return bytes === null || block.method === blockMethod.literal ? bytes : applyDelta(before, bytes, sizeMax)
}
