// Dependencies of a Python tree, in a virtual environment of its own: what the package requires at run time and what its
// tests import. Only wheels, because building a source distribution runs its code. The package itself is importable from
// the tree alone: site-packages holds its metadata, never a second copy of its code.

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SparError } from '../../errors.ts'
import { lastLines, runCommand, type CommandResult } from '../command.ts'
import { readAll } from '../runners/contents.ts'
import { pytestPlugins } from '../runners/pytest-plugins.ts'
import { pythonFacts, type PythonFacts } from './python-facts.ts'
import type { Installed, InstallRequest } from './types.ts'

/** Modules whose distribution has another name. */
const distributions: Readonly<Record<string, string>> = {
  attr: 'attrs', bs4: 'beautifulsoup4', Crypto: 'pycryptodome', cv2: 'opencv-python-headless', dateutil: 'python-dateutil', docx: 'python-docx', dotenv: 'python-dotenv',
  flask_sqlalchemy: 'flask-sqlalchemy', freezegun: 'freezegun', git: 'gitpython', google: 'protobuf', jose: 'python-jose', jwt: 'pyjwt', lazy_fixture: 'pytest-lazy-fixture', magic: 'python-magic',
  markdown: 'markdown', mock: 'mock', OpenSSL: 'pyopenssl', PIL: 'pillow', pkg_resources: 'setuptools', psycopg2: 'psycopg2-binary', pytest_asyncio: 'pytest-asyncio', pytest_mock: 'pytest-mock',
  pythonjsonlogger: 'python-json-logger', ruamel: 'ruamel.yaml', serial: 'pyserial', setuptools: 'setuptools', skimage: 'scikit-image', sklearn: 'scikit-learn', slugify: 'python-slugify',
  socks: 'pysocks', typing_extensions: 'typing-extensions', usb: 'pyusb', win32api: 'pywin32', yaml: 'pyyaml', zmq: 'pyzmq', _pytest: 'pytest', distutils: 'setuptools', importlib_metadata: 'importlib-metadata',
  importlib_resources: 'importlib-resources', zope: 'zope.interface', xdist: 'pytest-xdist', babel: 'babel', lxml_html_clean: 'lxml-html-clean', werkzeug: 'werkzeug', jinja2: 'jinja2', markupsafe: 'markupsafe'
}
/** Of test extras, tools that measure, format or distribute: not needed to run a test. */
const notNeeded = /^(tox|nox|pytest[-_.](cov|xdist|sugar|instafail|randomly|html|metadata|pretty|mypy|ruff|black|flake8|isort|checkdocs|enabler|perf|icdiff|rerunfailures)|coverage|codecov|coveralls|mypy|ruff|black|flake8|isort|pylint|pre-commit|sphinx.*|furo|twine|build|wheel|bump.*|codespell|pyright|ty|types-.*|jaraco\.(packaging|tidelift)|rst[-.].*|check-manifest|towncrier)\b/i
const attemptsMax = 8
const nameOf = (requirement: string): string => (/^[A-Za-z0-9][\w.-]*/.exec(requirement)?.[0] ?? requirement).toLowerCase().replace(/[-_.]+/g, '-')

export async function installPython (request: InstallRequest): Promise<Installed> {
  const { tree, env, limits, found, onProgress } = request
  const facts = await pythonFacts(tree, found.testFiles, await request.reader.list(), limits)
  const wanted = await requirements(request, facts)
  await makeEnvironment(env, limits.installMsMax)
  const notes: string[] = []
  if (wanted.length > 0) {
    onProgress(`installing ${wanted.length} requirements: ${wanted.slice(0, 8).join(', ')}${wanted.length > 8 ? ', …' : ''}`)
    notes.push(...await installAll(env, wanted, facts, limits.installMsMax))
  }
  await writeMetadata(env, facts)
  return { mounts: [env], path: [join(env, 'bin')], env: { PYTHONPATH: pythonPath(facts), VIRTUAL_ENV: env }, notes }
}

const pythonPath = (facts: PythonFacts): string => [...new Set(['src', ...facts.sourceFolders])].map(folder => `{tree}/${folder}`).concat('{tree}').join(':')

async function requirements ({ found, reader, testCommand }: InstallRequest, facts: PythonFacts): Promise<string[]> {
  const own = facts.name === null ? '' : nameOf(facts.name)
  const wanted = new Map<string, string>()
  const want = (requirement: string): void => {
    const name = nameOf(requirement)
    if (name !== own && !wanted.has(name)) wanted.set(name, requirement)
  }
  facts.requires.forEach(want)
  facts.testRequires.filter(requirement => !notNeeded.test(requirement)).forEach(want)
  if (found.runner === 'pytest' || /\bpytest\b/.test(testCommand ?? '')) want('pytest')
  for (const name of facts.imports) want(distributions[name] ?? name)
  if (found.runner === 'pytest') {
    const configuration = ['pytest.ini', 'tox.ini', 'setup.cfg', 'pyproject.toml']
    const helpers = (await reader.list()).filter(path => path.endsWith('conftest.py'))
    const sections = pytestSections(await readAll(reader, configuration))
    const text = (await readAll(reader, [...found.testFiles, ...helpers])).map(one => one.text).join('\n') + sections
    // A filter of warnings names a class, which pytest imports.
    for (const [, name] of sections.matchAll(/\b(?:error|ignore|default|always|once|module):[^\n]*?:([A-Za-z_]\w*)\.[\w.]+/g)) {
      if (!facts.ownModules.includes(name!) && !/^(pytest|builtins|warnings)$/.test(name!)) want(distributions[name!] ?? name!)
    }
    for (const { sign, distribution } of pytestPlugins) {
      // Words that are also plain English need a second witness: the test extra, which was read above.
      if (/^\\b\(?\w+\)?\\b$/.test(sign) && !/_/.test(sign)) continue
      if (new RegExp(sign).test(text)) want(distribution)
    }
  }
  return [...wanted.values()]
}

const pytestSections = (files: readonly { text: string }[]): string => files.map(({ text }) => (text.match(/^\[(tool[.:])?pytest[\s\S]*?(?=^\[(?!tool\.pytest)|(?![\s\S]))/gm) ?? []).join('\n')).join('\n')

/** Without pip inside, which takes seconds to unpack; the host's pip installs into it. */
async function makeEnvironment (env: string, timeoutMs: number): Promise<void> {
  const result = await runCommand('python3', ['-I', '-m', 'venv', '--without-pip', env], { timeoutMs })
  if (result.code !== 0) throw new SparError('ARENA_INSTALL_FAILED', `Cannot make a virtual environment: ${lastLines(result)}. Install the venv module of python3 (Debian: python3-venv)`)
}

async function installAll (env: string, wanted: readonly string[], facts: PythonFacts, timeoutMs: number): Promise<string[]> {
  const notes: string[] = []
  let left = [...wanted]
  for (let attempt = 0; left.length > 0; attempt++) {
    const result = await runCommand('python3', ['-m', 'pip', '--python', join(env, 'bin', 'python'), 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--only-binary', ':all:', '--no-compile', '--', ...left], { timeoutMs })
    if (result.code === 0) break
    const missing = /No matching distribution found for ([A-Za-z0-9][\w.-]*)/.exec(result.stderr)?.[1]
    const rest = missing === undefined ? left : left.filter(requirement => nameOf(requirement) !== nameOf(missing))
    if (isOffline(result)) throw new SparError('ARENA_REGISTRY_UNREACHABLE', `Cannot install dependencies: ${lastLines(result, 2)}. Check the network and pip's own configuration`, { retryable: true })
    if (attempt < attemptsMax && rest.length < left.length) {
      notes.push(`${missing} could not be installed: there is no wheel of it for this Python`)
      left = rest
      continue
    }
    // Requirements that contradict each other: names alone, then what the tests cannot do without.
    const bare = left.map(requirement => /^[A-Za-z0-9][\w.-]*(\[[^\]]*\])?/.exec(requirement)![0])
    if (attempt < attemptsMax && bare.join() !== left.join()) {
      left = bare
      continue
    }
    throw new SparError('ARENA_INSTALL_FAILED', `Cannot install what the tests need (${left.join(', ')}): ${result.timedOut ? 'pip ran out of time' : lastLines(result)}. Say how with --setup "pip install …"`)
  }
  await removeSecondCopy(env, facts, timeoutMs)
  return notes
}

const isOffline = ({ stderr, timedOut }: CommandResult): boolean => timedOut || /NewConnectionError|Name or service not known|Temporary failure in name resolution|ConnectTimeoutError|Connection refused|ProxyError|SSLError/.test(stderr)

/** A dependency may depend on the package itself; that copy would be the original to read. */
async function removeSecondCopy (env: string, { name }: PythonFacts, timeoutMs: number): Promise<void> {
  if (name === null) return
  await runCommand('python3', ['-m', 'pip', '--python', join(env, 'bin', 'python'), 'uninstall', '--quiet', '--yes', '--disable-pip-version-check', '--', name], { timeoutMs })
}

async function sitePackages (env: string): Promise<string> {
  const version = (await readdir(join(env, 'lib'))).find(name => name.startsWith('python'))
  if (version === undefined) throw new SparError('ARENA_INSTALL_FAILED', `Cannot use the virtual environment: ${env}/lib holds no Python`)
  return join(env, 'lib', version, 'site-packages')
}

/** `importlib.metadata` finds the package: name, version, entry points, and no files. */
async function writeMetadata (env: string, { name, version, entryPoints }: PythonFacts): Promise<void> {
  if (name === null || !/^[A-Za-z0-9][\w.-]*$/.test(name)) return
  const folder = join(await sitePackages(env), `${name.replace(/[-.]+/g, '_')}-${version ?? '0'}.dist-info`)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version ?? '0'}\n`)
  await writeFile(join(folder, 'INSTALLER'), 'spar\n')
  if (entryPoints !== '') await writeFile(join(folder, 'entry_points.txt'), entryPoints)
}
