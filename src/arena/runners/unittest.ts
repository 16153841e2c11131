// unittest of Python's standard library. Its own text output mixes with what tests print and cuts names, so a launcher
// loads each file and prints one line a test. A file that cannot be imported gives no results. When the set-up of a class
// or module fails, its tests have failed.

import { parserOf, unittestParser } from './parsers.ts'
import { findPython, scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const launcher = (onSkipped: string): string => String.raw`
import importlib
import importlib.util
import os
import sys
import traceback
import unittest

OUT = os.fdopen(os.dup(1), 'w', encoding='utf-8', errors='backslashreplace', newline='\n')


def say(text):
    sys.stdout.flush()
    OUT.write(text)
    OUT.flush()


def load(path):
    parts = path[:-3].split('/')
    folder = os.path.abspath(os.path.dirname(path) or '.')
    if folder not in sys.path:
        sys.path.append(folder)
    if all(part.isidentifier() for part in parts):
        module = importlib.import_module('.'.join(parts))
        if os.path.abspath(getattr(module, '__file__', None) or '') == os.path.abspath(path):
            return module
    name = '_'.join(part if part.isidentifier() else 'x' + part.encode('utf-8').hex() for part in parts)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def leaves(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from leaves(item)
        elif item is not None:
            yield item


class Result(unittest.TestResult):
    def __init__(self, path, tests):
        super().__init__()
        self.path = path
        self.left = {test: self.name(test) for test in tests}
        self.status = None
        self.bad = 0

    def name(self, test):
        method = getattr(test, '_testMethodName', None)
        name = type(test).__qualname__ + '.' + method if method else test.id()
        return self.path + '::' + ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in name)

    def report(self, test, passed):
        self.bad += not passed
        name = self.left.pop(test, None) or self.name(test)
        say('\n%s %s\n' % ('PASSED' if passed else 'FAILED', name))

    def startTest(self, test):
        super().startTest(test)
        self.status = None

    def stopTest(self, test):
        if self.status is not None:
            self.report(test, self.status)
        self.left.pop(test, None)
        super().stopTest(test)

    def failed(self, test, err):
        say('\n' + str(test) + '\n' + self._exc_info_to_string(err, test) if isinstance(test, unittest.TestCase)
            else '\n' + str(test) + '\n' + ''.join(traceback.format_exception(*err)))
        self.status = False
        if test in self.left or isinstance(test, unittest.TestCase):
            return
        # A fixture of a class or a module: setUpClass (package.module.Class), setUpModule (package.module).
        kind, _, owner = test.id().partition(' (')
        owner = owner.rstrip(')')
        for other in list(self.left):
            if kind.startswith('setUp') and owner in (unittest.util.strclass(type(other)), type(other).__module__):
                self.report(other, False)
        self.bad += 1

    def addSuccess(self, test):
        if self.status is None:
            self.status = True

    def addFailure(self, test, err):
        self.failed(test, err)

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.failed(test, err)

    def addUnexpectedSuccess(self, test):
        self.status = False

    def addSkip(self, test, reason):
        ${onSkipped}

    def addExpectedFailure(self, test, err):
        ${onSkipped}


def main():
    files = sys.argv[1:]
    sys.argv = ['unittest', *files]
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    bad = 0
    for path in files:
        path = os.path.normpath(path).replace(os.sep, '/')
        say('\n# file: %s\n' % path)
        try:
            suite = unittest.TestLoader().loadTestsFromModule(load(path))
        except unittest.SkipTest:
            continue
        except BaseException:
            say('\nERROR %s\n%s' % (path, traceback.format_exc()))
            bad += 1
            continue
        suite = unittest.TestSuite([suite])
        result = Result(path, list(leaves(suite)))
        suite.run(result)
        bad += result.bad
    return 1 if bad else 0


sys.exit(main())
`

const tellSkipped = String.raw`say('\nSKIPPED %s\n' % (self.left.get(test) or self.name(test)))`

const body = (tells: 'all' | 'skipped'): string => `${findPython}launcher=$(cat <<'PY'
${launcher(tells === 'skipped' ? tellSkipped : 'pass')}PY
)
"$python" -c "$launcher" "\${files[@]}"
`

export const unittest: Runner = {
  name: 'unittest',
  ecosystem: 'python',
  script: (files, tells = 'all') => scriptHead('unittest', files) + body(tells),
  parser: parserOf('python', unittestParser)
}
