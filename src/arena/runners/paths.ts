// Which paths belong to tests, and which decide how tests run, by the conventions of the three ecosystems. A bug may not
// touch the former, an attempt may not touch either.

/** Folders whose files are tests, helpers or fixtures, wherever they stand. */
const testFolders = new Set([
  'test', 'tests', '__tests__', '__mocks__', '__snapshots__', '__fixtures__', 'spec', 'specs', 'e2e', 'testdata',
  'test-helpers', 'test-utils', 'test-fixtures', 'test_data', 'test-data'
])
/** Folders that hold tests only at the top, because packages ship code under these names. */
const topFolders = new Set(['testing', 'fixtures', 'unittests', 'unit_tests', 'tap-snapshots', 'cypress'])

const testNames: readonly RegExp[] = [
  /^test_.*\.pyi?$/, /_test\.pyi?$/, /^tests?\.py$/, /^conftest\.py$/,
  /[.-](test|spec|tests|specs|e2e)\.([cm]?[jt]sx?|json|snap)$/, /_(test|spec)\.[cm]?[jt]sx?$/, /^(test|tests|spec)\.[cm]?[jt]sx?$/,
  /^test[-_].*\.[cm]?[jt]sx?$/, /\.test-d\.[cm]?ts$/, /\.snap$/,
  /_test\.go$/
]

/** A test, or a helper or fixture of tests. */
export function isTestPath (path: string): boolean {
  const parts = path.split('/')
  const name = parts.pop()!
  if (parts.some(part => testFolders.has(part))) return true
  if (parts.length > 0 && topFolders.has(parts[0]!)) return true
  return testNames.some(pattern => pattern.test(name))
}

const infrastructureNames: readonly RegExp[] = [
  // Python: the runner's configuration, and what the interpreter loads unasked.
  /^conftest\.py$/, /^\.?pytest\.(ini|toml)$/, /^tox\.(ini|toml)$/, /^setup\.(cfg|py)$/, /^pyproject\.toml$/, /^noxfile\.py$/, /^(site|user)customize\.py$/,
  /\.pth$/, /^\.?coveragerc$/, /^\.coveragerc$/, /^Pipfile(\.lock)?$/, /^(poetry|pdm|uv)\.lock$/, /^requirements.*\.(txt|in)$/, /^constraints.*\.txt$/,
  /^environment\.ya?ml$/, /^pytest\.py$/, /^unittest\.py$/,
  // Node
  /^package\.json$/, /^(package-lock|npm-shrinkwrap)\.json$/, /^yarn\.lock$/, /^pnpm-(lock|workspace)\.yaml$/, /^bun\.lockb?$/, /^deno\.jsonc?$/,
  /^\.mocharc(\.|$)/, /^mocha\.opts$/, /^(jest|vitest|vite|babel|karma|ava|playwright|cypress|c8|nyc|rollup|webpack|esbuild|swc)\.(config|workspace|setup|preset|conf)\.[\w.]+$/,
  /^\.babelrc(\.|$)/, /^babel\.config\./, /^\.swcrc$/, /^\.taprc$/, /^tsconfig.*\.json$/, /^jsconfig.*\.json$/, /^\.(nycrc|c8rc|npmrc|yarnrc|node-version|nvmrc)/,
  /^\.borp\.ya?ml$/,
  // Go
  /^go\.(mod|sum|work)$/, /^go\.work\.sum$/,
  // Anybody's
  /^Makefile$/, /^Justfile$/, /^Dockerfile/, /^\.(gitlab-ci|travis|appveyor)\.ya?ml$/, /^appveyor\.yml$/, /^azure-pipelines\.ya?ml$/, /^Jenkinsfile$/,
  /^\.gitattributes$/, /^\.gitmodules$/, /^\.envrc?$/, /^\.env(\.|$)/
]
const infrastructureFolders = new Set(['.github', '.circleci', '.gitlab', '.azure', '.buildkite', '.yarn', '.husky', 'node_modules', '.tap', '.git'])

/** Decides how or whether tests run: runner configuration, manifests, lock files, CI, interpreter hooks. */
export function isTestInfrastructure (path: string): boolean {
  const parts = path.split('/')
  const name = parts.pop()!
  if (parts.some(part => infrastructureFolders.has(part) || /\.(dist|egg)-info$/.test(part))) return true
  return infrastructureNames.some(pattern => pattern.test(name))
}

/** The same rules as data, for graders that run elsewhere. */
export const infrastructureRules = {
  folders: [...infrastructureFolders],
  folderPatterns: ['\\.(dist|egg)-info$'],
  names: infrastructureNames.map(pattern => pattern.source)
}
