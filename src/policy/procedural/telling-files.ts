// Which files say how the tests of a repository run: the test files themselves, and the manifests. Read at once, they cost
// one turn; asked for one by one while a runner is looked for, a dozen.

import { isTestPath } from '../../arena/runners/index.ts'
import { languageOf } from '../../workers/mutate/source.ts'

const manifests = /^(package\.json|pyproject\.toml|setup\.(cfg|py)|tox\.ini|pytest\.ini|go\.mod|conftest\.py|tests?\/conftest\.py)$/

export const isManifest = (path: string): boolean => manifests.test(path)

export const isTestSource = (path: string): boolean => isTestPath(path) && languageOf(path) !== null
