// The door of the diff engine, which is also what the package exports as `spar/diff`: git patches over bytes in memory,
// exactly as `git apply` takes them, without a process, a thread or a file. Every refusal is a SparError with a code.
//
//   PATCH_MALFORMED     the patch cannot be read          PATCH_TOO_LARGE     over a limit
//   PATCH_EMPTY         it holds no file section          PATCH_NO_FILE       the old file is not there
//   PATCH_FILE_EXISTS   the new file is there already     PATCH_CONFLICT      a hunk or binary content does not fit
//   PATCH_WRONG_TYPE    link for file, or so              PATCH_BAD_PATH      a path that git takes from no patch
//   PATCH_BEYOND_LINK   a path that leads through a link  PATCH_BLOCKED       a file where a folder is, or so
//   PATCH_THROUGH_LINK  a link removed and put back with a file below it: refused here only (see tree.ts)

/**
 * Applies a patch to a tree and returns the tree that `git apply` (2.39, `-p1 --whitespace=nowarn`, outside of a
 * repository) would leave; with `reverse`, `git apply -R`. All of it or nothing: it throws a SparError where git refuses,
 * and the tree that is given is never changed. Files that the patch does not touch are shared with the result.
 *
 * A tree maps a path (`/` between parts, bytes that are not UTF-8 as lone surrogates U+DC80 to U+DCFF) to its mode and
 * bytes; a symbolic link's bytes are its target. Folders follow from the paths.
 */
export { applyPatch, type ApplyOptions } from './apply.ts'
export type { Tree, TreeFile } from './tree.ts'

/** Reads a patch into an index of numbers: `files()`, `numstat()`, and `plain`, which crosses to another thread. */
export { parsePatch } from './parse.ts'
export { PatchIndex, type PatchFileEntry, type PlainPatchIndex } from './patch-index.ts'
export { diffLimits, type DiffLimits } from './limits.ts'

/** By file: split, joined, written again, turned around, put back. */
export { formatPatch, joinPatches, splitPatch } from './split.ts'
export { reversePatch } from './reverse.ts'
export { restoreFiles } from './restore.ts'

/** For patches of strangers: refusals beyond git's, and repairs of what models write, each one told. */
export { guardLimits, guardMode, guardPatch, guardPath, touchedPaths, type GuardLimits } from './guard.ts'
export { repairPatch, type Repair, type Repaired } from './repair.ts'

/** The other way: a patch between two contents, in the form of `git diff --full-index --binary`, without words behind `@@`. */
export { diffLines, type DiffOptions } from '../lines/diff.ts'
