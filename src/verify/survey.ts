// What a bug's patch puts into files, found without running anything: the files are read from a tree that nothing has touched
// yet, the patch is applied in memory, and both sides are looked at (src/workers/survey).

import type { PatchFile } from '../artifact/index.ts'
import type { Check, CheckName } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { Sandbox } from '../ports.ts'
import { applyPatch, type TreeFile } from '../workers/diff/index.ts'
import { languageOf } from '../workers/mutate/languages.ts'
import { rules } from '../workers/survey/tables.ts'
import type { Finding, SurveyFile } from '../workers/survey/survey.ts'
import type { VerifyLimits } from './limits.ts'
import { check } from './plan.ts'

/** A file of the bug on both sides; null where it is not there. */
export interface Sides { unit: PatchFile; before: Uint8Array | null; after: Uint8Array | null }

/** Binary and large files, and what the patch does not fit, are left out; `unread`: what the patch adds beyond what is looked through. */
export async function readSides (sandbox: Sandbox, units: readonly PatchFile[], limits: VerifyLimits): Promise<{ sides: Sides[]; unread: Finding[] }> {
  const sides: Sides[] = []
  const unread: Finding[] = []
  let left = limits.surveyBytesMax
  for (const unit of units) {
    if (unit.binary) {
      // Source needs no such patch; what is packed into one cannot be looked through.
      const path = unit.newPath ?? unit.oldPath!
      if (languageOf(path) !== null && unit.newPath !== null) unread.push({ rule: 'size', path, line: 1, name: 'a binary patch of source', text: '' })
      continue
    }
    left -= unit.bytes.length
    if (left < 0) {
      if (unit.addedLines > 0) unread.push({ rule: 'size', path: unit.newPath ?? unit.oldPath!, line: 1, name: `${unit.bytes.length} bytes of patch`, text: '' })
      continue
    }
    const before = unit.oldPath === null ? null : await readOriginal(sandbox, unit.oldPath, limits.surveyFileBytesMax)
    const after = before === undefined ? undefined : patched(unit, before)
    if (before === undefined || after === undefined) continue
    sides.push({ unit, before, after })
  }
  return { sides, unread }
}

/** Undefined where it cannot be had. */
async function readOriginal (sandbox: Sandbox, path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  try {
    return await sandbox.readFile(path, bytesMax)
  } catch (error) {
    if (error instanceof SparError && ['SANDBOX_NO_FILE', 'SANDBOX_FILE_TOO_LARGE'].includes(error.code)) return undefined
    throw error
  }
}

function patched ({ bytes, oldPath, newPath, oldMode }: PatchFile, before: Uint8Array | null): Uint8Array | null | undefined {
  const original: [string, TreeFile][] = before === null ? [] : [[oldPath!, { mode: oldMode === '100755' ? '100755' : '100644', bytes: before }]]
  try {
    const tree = applyPatch(bytes, new Map(original))
    return newPath === null ? null : tree.get(newPath)?.bytes
  } catch (error) {
    // The run will say that it does not apply.
    if (error instanceof SparError) return undefined
    throw error
  }
}

const textOf = (bytes: Uint8Array | null): string | null => bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')

export const surveyFiles = (sides: readonly Sides[]): SurveyFile[] => sides.map(({ unit, before, after }) => ({ path: unit.newPath ?? unit.oldPath!, before: textOf(before), after: textOf(after) }))

/** The bug's files in a language that a newline at the end means nothing to, with one more. */
export const withNewlines = (sides: readonly Sides[]): [path: string, bytes: Uint8Array][] => sides.flatMap(({ unit: { newPath }, after }) =>
  newPath === null || after === null || after.length === 0 || languageOf(newPath) === null ? [] : [[newPath, Buffer.concat([after, Buffer.from('\n')])]])

/** The checks that findings fail, of each one that says all of its own. */
export function checksOf (found: readonly Finding[]): Check[] {
  const names: CheckName[] = ['scope', 'bug', 'determinism']
  return names.flatMap(name => {
    const own = found.filter(({ rule }) => rules[rule].check === name)
    return own.length === 0 ? [] : [check(name, 'fail', `bug_inject.diff: ${own.slice(0, shownMax).map(spoken).join('; ')}${own.length > shownMax ? `; and ${own.length - shownMax} more` : ''}`, { found: own })]
  })
}

const shownMax = 3
const spoken = ({ rule, path, line, name }: Finding): string => `${path}:${line} ${rules[rule].says}${rule === 'syntax' ? '' : rule === 'copy' || rule === 'size' ? ` (${name})` : ` (${name}), which the original does not`}`

/** Whether a finding can be one of this patch: what it names stands there. */
export function isOfPatch ({ rule, path, name }: Finding, units: readonly PatchFile[]): boolean {
  if (!units.some(({ oldPath, newPath }) => (newPath ?? oldPath) === path)) return false
  const texts = units.map(({ bytes }) => textOf(bytes)!)
  if (rule === 'copy') return texts.some(text => text.split('\n').map(line => line.slice(1).replace(/\s+/g, '')).join('').includes(name))
  return rule === 'syntax' || rule === 'size' || (name.replace(/^import /, '').match(/\w+/g) ?? []).every(word => texts.some(text => text.includes(word)))
}
