// The door of this folder: the artifact, its folder, its id, and the reader of patches.

export { bugId, createBug, namedFiles } from './bug-id.ts'
export { artifactLimits, readArtifact, writeArtifact, type Artifact } from './folder.ts'
export { createManifest, formatManifest, parseManifest, type Manifest, type Provenance } from './manifest.ts'
export { canonicalNames, canonicalParserName, isParserName } from './names.ts'
export { patchLimits, readPatch, reversePatch, type PatchFile } from './patch.ts'
export { pathKind, type PathKind } from './paths.ts'
export { readTestFiles } from './test-files.ts'
export { guardPath, touchedPaths } from '../workers/diff/index.ts'
