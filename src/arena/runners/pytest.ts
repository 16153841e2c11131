// pytest: one process for all files, results from the short test summary. Plugins are loaded by name (pytest-plugins.ts),
// and options of plugins that only measure or distribute (coverage, xdist) are accepted and ignored, because they stand
// in the configuration of many packages.

import { parserOf, pytestParser } from './parsers.ts'
import { pytestPlugins } from './pytest-plugins.ts'
import { findPython, scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const table = pytestPlugins.map(({ module, sign }) => `    (${JSON.stringify(module)}, r"""${sign}"""),\n`).join('')

const launcher = (verbosity: 0 | 1): string => String.raw`
import importlib.util
import os
import re
import sys

PLUGINS = [
${table}]
CONFIGURATION = ['pytest.ini', '.pytest.ini', 'pytest.toml', 'tox.ini', 'setup.cfg', 'pyproject.toml']


def read(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except OSError:
        return ''


def pytest_sections(path):
    text = read(path)
    if path in ('tox.ini', 'setup.cfg'):
        return '\n'.join(re.findall(r'(?ms)^\[(?:tool:)?pytest\](.*?)(?=^\[|\Z)', text))
    if path == 'pyproject.toml':
        return '\n'.join(re.findall(r'(?ms)^\[tool\.pytest[^\]]*\](.*?)(?=^\[|\Z)', text))
    return text


def conftests(files):
    folders = set()
    for file in files:
        folder = os.path.dirname(file)
        while folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return [os.path.join(folder, 'conftest.py') for folder in sorted(folders | {''})]


def installed(module):
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:
        return False


# Options by the plugin that brings them.
OPTIONS = {
    'pytest_cov': ['--cov', '--cov-report', '--cov-config', '--cov-context', '--cov-fail-under', '--no-cov-on-fail', '--no-cov', '--cov-branch',
                   '--cov-append', '--cov-reset'],
    'xdist': ['-n', '--numprocesses', '--dist', '--maxprocesses'],
    'cacheprovider': ['--lf', '--ff', '--last-failed', '--failed-first'],
    'pytest_timeout': ['--timeout', '--timeout-method'],
    'pytest_randomly': ['--randomly-seed', '--randomly-dont-reorganize'],
    'pytest_benchmark': ['--benchmark-skip', '--benchmark-disable', '--benchmark-columns', '--benchmark-sort', '--benchmark-group-by'],
    'pytest_asyncio': ['--asyncio-mode'],
    'pytest_rerunfailures': ['--reruns', '--reruns-delay'],
    'pytest_socket': ['--disable-socket', '--allow-hosts'],
    'others': ['--mypy', '--flake8', '--black', '--isort', '--pylint', '--ruff', '--instafail', '--sugar', '--html', '--self-contained-html',
               '--run-parallel', '--parallel-threads', '--checkdocs', '--codeblocks', '--typeguard-packages', '--beartype-packages'],
}


class Ignored:
    """Options that the configuration names and whose plugins are not loaded."""

    def __init__(self, configuration, loaded):
        self.options = [option for plugin, options in OPTIONS.items() if not any(name.split('.')[0] == plugin for name in loaded)
                        for option in options if re.search(r'(?<![\w-])' + option + r'(?![\w-])', configuration)]

    def pytest_addoption(self, parser):
        group = parser.getgroup('ignored')
        for option in self.options:
            group._addoption(option, dest='ignored' + option.replace('-', '_'), action='append', nargs='?', const=True)


def main():
    files = sys.argv[1:]
    sys.argv = ['pytest', *files]
    configuration = '\n'.join(map(pytest_sections, CONFIGURATION))
    text = configuration + '\n'.join(map(read, files + conftests(files)))
    wanted = [name for name, sign in PLUGINS if re.search(sign, text) and installed(name)]
    options = [option for name in wanted for option in ('-p', name)]
    if '_hypothesis_pytestplugin' in wanted:
        options.append('--hypothesis-seed=0')
    import pytest
    return pytest.main([*options, '-p', 'no:cacheprovider', '-o', 'required_plugins=', '--rootdir=.', '-rfEp', '--verbosity=${verbosity}',
                        '--maxfail=0', '--continue-on-collection-errors', '--tb=short', '--color=no', '-W', 'ignore::pytest.PytestConfigWarning', *files],
                       plugins=[Ignored(configuration, wanted)])


sys.exit(main())
`

/** Under -v the progress lines name every test, skipped ones too, which the summary never does. */
const body = (tells: 'all' | 'skipped'): string => `${findPython}export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 COLUMNS=120
unset PYTEST_ADDOPTS PYTEST_PLUGINS
launcher=$(cat <<'PY'
${launcher(tells === 'skipped' ? 1 : 0)}PY
)
"$python" -c "$launcher" "\${files[@]}"
`

export const pytest: Runner = {
  name: 'pytest',
  ecosystem: 'python',
  script: (files, tells = 'all') => scriptHead('pytest', files) + body(tells),
  parser: parserOf('python', pytestParser)
}
