// What a Python tree states about itself, and what its tests import, read by Python's own parsers as text and syntax
// trees. Nothing is imported.

import type { ArenaLimits } from '../limits.ts'
import { askPython } from '../python-host.ts'

export interface PythonFacts {
  /** Version of the interpreter, `3.11`, and folder of its installation. */
  python: string
  name: string | null
  version: string | null
  requires: string[]
  /** What extras and groups named test, tests, testing, dev ask for. */
  testRequires: string[]
  /** Top-level modules that test files import, without the standard library and the tree's own. */
  imports: string[]
  /** Modules of the tree and of the standard library. */
  ownModules: string[]
  /** Folders to put on PYTHONPATH, relative to the tree. */
  sourceFolders: string[]
  /** Content of entry_points.txt. */
  entryPoints: string
}

const program = String.raw`
import ast, configparser, json, os, re, sys
try:
    import tomllib
except ImportError:
    try:
        from pip._vendor import tomli as tomllib
    except ImportError:
        from pip._vendor import tomllib

question = json.load(sys.stdin)
tree, test_files, paths = question['tree'], question['testFiles'], question['paths']
TEST = re.compile(r'^(test|tests|testing|dev|unittest|pytest)$', re.I)


def read(path):
    full = os.path.join(tree, path)
    if os.path.islink(full) or not os.path.isfile(full) or os.path.getsize(full) > 1 << 21:
        return ''
    with open(full, encoding='utf-8', errors='replace') as file:
        return file.read()


def plain(requirement):
    requirement = requirement.split('#')[0].strip()
    return requirement if re.match(r'^[A-Za-z0-9]', requirement) and '://' not in requirement else None


name = version = None
requires, test_requires, entry_points = [], [], {}

# PKG-INFO of a source distribution is what its build stated.
for line in re.split(r'\r?\n\r?\n', read('PKG-INFO'))[0].splitlines():
    key, _, value = line.partition(': ')
    if key == 'Name':
        name = value.strip()
    elif key == 'Version':
        version = value.strip()
    elif key == 'Requires-Dist':
        extra = re.search(r'extra\s*==\s*[\'"]([^\'"]+)', value)
        (test_requires if extra and TEST.match(extra.group(1)) else requires if not extra else []).append(value.split(' ; extra')[0] if extra else value)

try:
    pyproject = tomllib.loads(read('pyproject.toml'))
except Exception:
    pyproject = {}
project = pyproject.get('project') or {}
name = name or project.get('name')
version = version or project.get('version')
requires += project.get('dependencies') or []
for extra, entries in (project.get('optional-dependencies') or {}).items():
    if TEST.match(extra):
        test_requires += entries
groups = pyproject.get('dependency-groups') or {}


def group(key, seen=()):
    for entry in groups.get(key) or []:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and entry.get('include-group') not in seen:
            yield from group(entry.get('include-group'), (*seen, key))


for key in groups:
    if re.match(r'^(test|tests|testing|unittest|pytest)$', key, re.I):
        test_requires += group(key)
for key, section in (('scripts', 'console_scripts'), ('gui-scripts', 'gui_scripts')):
    entry_points.setdefault(section, {}).update(project.get(key) or {})
for section, values in (project.get('entry-points') or {}).items():
    entry_points.setdefault(section, {}).update(values)
poetry = (pyproject.get('tool') or {}).get('poetry') or {}
name = name or poetry.get('name')
version = version or poetry.get('version')


def poetry_requirements(table):
    for key, value in (table or {}).items():
        if key != 'python' and not (isinstance(value, dict) and (value.get('optional') or 'path' in value or 'git' in value)):
            yield key


requires += poetry_requirements(poetry.get('dependencies'))

config = configparser.ConfigParser(interpolation=None, strict=False)
try:
    config.read_string(read('setup.cfg'))
except configparser.Error:
    pass
name = name or config.get('metadata', 'name', fallback=None)
version = version or config.get('metadata', 'version', fallback=None)
requires += config.get('options', 'install_requires', fallback='').splitlines()
if config.has_section('options.extras_require'):
    for extra, value in config.items('options.extras_require'):
        if TEST.match(extra):
            test_requires += value.splitlines()

setup_folder = None
try:
    setup = ast.parse(read('setup.py'))
except (SyntaxError, ValueError):
    setup = None
if setup:
    constants = {}
    for node in setup.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                constants[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                pass
    for node in ast.walk(setup):
        if not isinstance(node, ast.Call) or getattr(node.func, 'id', getattr(node.func, 'attr', '')) != 'setup':
            continue
        for keyword in node.keywords:
            try:
                value = ast.literal_eval(keyword.value)
            except ValueError:
                value = constants.get(getattr(keyword.value, 'id', None))
            if keyword.arg == 'name':
                name = name or value
            elif keyword.arg == 'version':
                version = version or value
            elif keyword.arg in ('install_requires', 'tests_require') and isinstance(value, (list, tuple)):
                (requires if keyword.arg == 'install_requires' else test_requires).extend(value)
            elif keyword.arg == 'package_dir' and isinstance(value, dict):
                setup_folder = value.get('')

for path in paths:
    if re.match(r'^(requirements[/_-])?(test|tests|testing)[_-]?(requirements)?\.txt$|^(requirements[_/-]tests?|test[_-]requirements|tests/requirements)\.txt$', path):
        test_requires += read(path).splitlines()

# Modules of the tree: what stands at its top, in its source folders, and beside tests.
folders = {os.path.dirname(path) for path in paths if path.endswith('.py')}
tops = {path.split('/')[0] for path in paths if path.endswith('.py') and '/' in path}
source_folders = [folder for folder in ('src', 'lib', 'python', setup_folder or '') if folder and folder in tops and folder + '/__init__.py' not in paths]
own = set()
def ancestors(path):
    while path:
        path = os.path.dirname(path)
        yield path


for base in {'', *source_folders, *(folder for path in test_files for folder in ancestors(path))}:
    prefix = base + '/' if base else ''
    for path in paths:
        if path.startswith(prefix) and path.endswith(('.py', '.pyx', '.pyi', '.c')):
            own.add(path[len(prefix):].split('/')[0].split('.')[0])

imports = set()
helpers = [path for path in paths if path.endswith('conftest.py') or (path.endswith('.py') and os.path.dirname(path) in {os.path.dirname(test) for test in test_files})]
for path in sorted({*test_files, *helpers}):
    try:
        module = ast.parse(read(path))
    except (SyntaxError, ValueError):
        continue
    guarded = {inner for node in ast.walk(module) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    for node in ast.walk(module):
        if node in guarded:
            continue
        if isinstance(node, ast.Import):
            imports.update(alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imports.add(node.module.split('.')[0])
standard = getattr(sys, 'stdlib_module_names', frozenset(sys.builtin_module_names))
imports -= standard | own | {'__future__'}

points = read(next((path for path in paths if re.search(r'\.egg-info/entry_points\.txt$', path)), '')) or '\n'.join(
    '[%s]\n%s\n' % (section, '\n'.join('%s = %s' % item for item in values.items())) for section, values in entry_points.items() if values)
print(json.dumps({
    'python': '%d.%d' % sys.version_info[:2],
    'name': name if isinstance(name, str) else None,
    'version': version if isinstance(version, str) and re.match(r'^\d', version) else None,
    'requires': sorted({entry for entry in map(plain, requires) if entry}),
    'testRequires': sorted({entry for entry in map(plain, test_requires) if entry}),
    'imports': sorted(imports),
    'ownModules': sorted(standard | own),
    'sourceFolders': source_folders,
    'entryPoints': points,
}))
`

export function pythonFacts (tree: string, testFiles: readonly string[], paths: readonly string[], limits: ArenaLimits): Promise<PythonFacts> {
  return askPython(program, { tree, testFiles, paths }, limits)
}
