// Python: pytest runs what unittest runs, not the other way round. So unittest is taken only when every test is a method
// and nothing in the repository speaks of pytest.

import { inFolder, readAll } from './contents.ts'
import { isTestPath } from './paths.ts'
import type { FoundRunner, TreeReader } from './types.ts'

const left = new Set(['build', 'dist', 'docs', 'doc', 'examples', 'vendor', '_vendor', 'testdata', 'fixtures', '.venv', 'venv', '.tox', '.nox'])
const manifests = ['pytest.ini', '.pytest.ini', 'pytest.toml', 'tox.ini', 'setup.cfg', 'pyproject.toml', 'noxfile.py', 'setup.py', 'Makefile',
  'requirements-dev.txt', 'requirements-test.txt', 'requirements_dev.txt', 'dev-requirements.txt', 'test-requirements.txt', 'requirements/tests.txt', 'requirements/test.txt', 'requirements/dev.txt']

export async function findPython (tree: TreeReader, paths: readonly string[]): Promise<FoundRunner | null> {
  const candidates = paths.filter(path => path.endsWith('.py') && isTestPath(path) && !inFolder(path, left) && !/(^|\/)(conftest|__init__|setup)\.py$/.test(path))
  const files = (await readAll(tree, candidates)).filter(({ text }) => /^\s*(async )?def test/m.test(text) || /^\s*def runTest\b/m.test(text))
  if (files.length === 0) return null
  const testFiles = files.map(({ path }) => path)
  const found = (runner: 'pytest' | 'unittest', evidence: string): FoundRunner => ({ runner, ecosystem: 'python', evidence, testFiles })

  for (const { path, text } of files) {
    if (/^\s*(import|from) pytest\b/m.test(text)) return found('pytest', `${path} imports pytest`)
    if (/^(async )?def test/m.test(text)) return found('pytest', `${path} has test functions outside of a class`)
    if (!/TestCase\b/.test(text) && /^class Test\w*\s*(\(\s*(object)?\s*\))?:/m.test(text)) return found('pytest', `${path} has test classes that are no unittest.TestCase`)
  }
  const conftest = paths.find(path => /(^|\/)conftest\.py$/.test(path) && isTestPath(path))
  if (conftest !== undefined) return found('pytest', `${conftest} configures pytest`)
  for (const { path, text } of await readAll(tree, manifests.filter(path => paths.includes(path)))) {
    if (/\bpytest\b/.test(text)) return found('pytest', `${path} names pytest`)
  }
  return found('unittest', `${testFiles[0]} and the others hold unittest.TestCase classes, and nothing names pytest`)
}
