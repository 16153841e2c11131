// pytest takes longer to start than most tests take to run, so a batch of trials shares one interpreter: a `python` that
// stands first on PATH catches the script's own call, imports pytest and what else lies outside of the tree once, and
// forks for every candidate. What it finds is confirmed with the real script before it is kept, so it may only save time.
// What does not fit: scripts that start pytest in another way; nothing is printed then, and trials run one by one.

import { shellQuote } from '../../../quote.ts'
import { trialArguments, type Deadlines, type Trial } from './trials.ts'

/** Stands first on PATH as `python`: only the call that starts pytest is taken over. */
export const shim = (scratch: string): string => `#!/usr/bin/env bash
real=$SOLVER_PYTHON
if [ "\${1-}" = -c ] && [[ "\${2-}" == *pytest.main* ]]; then exec "$real" ${shellQuote(`${scratch}/fork.py`)} "$@"; fi
exec "$real" "$@"
`

export const forkProgram = `import json, os, resource, signal, sys, time
batch = json.load(open(os.environ['SOLVER_BATCH']))
scratch, code, files = batch['scratch'], sys.argv[2], sys.argv[3:]
parser = open(batch['parser']).read()
sys.path[0] = ''
out = os.fdopen(os.dup(1), 'w')

tree = os.path.realpath('.') + os.sep
seen = os.path.join(scratch, 'modules.json')
installed = {f'{place}-packages' for place in ('site', 'dist')}

def outside(name, module):
    path = os.path.realpath(getattr(module, '__file__', None) or os.sep)
    return not path.startswith(tree) or not installed.isdisjoint(path.split(os.sep))

def remember():
    # What the tests import from outside of the tree is the same for every candidate.
    if not os.path.exists(seen):
        with open(seen, 'w') as target:
            json.dump([name for name, module in list(sys.modules.items()) if name != '__main__' and outside(name, module)], target)

def preload():
    import importlib
    names = []
    try:
        from _pytest.config import default_plugins
        names = ['pytest'] + ['_pytest.' + name for name in default_plugins]
        names += json.load(open(seen))
    except Exception:
        pass
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:
            pass
    for name, module in list(sys.modules.items()):
        if not outside(name, module):
            del sys.modules[name]

def run(source, arguments, stdin, stdout):
    """Runs a program in a child; False when it had to be killed."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CPU, (batch['cpu'], batch['cpu'] + 1))
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
            if source is code:
                os.dup2(1, 2)
            sys.stdin = os.fdopen(0, closefd=False)
            sys.argv = ['-c', *arguments]
            exec(compile(source, '<string>', 'exec'), {'__name__': '__main__'})
        except SystemExit:
            pass
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        finally:
            try:
                source is code and remember()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)
    end = time.monotonic() + batch['wall']
    ended = 0
    while not ended and time.monotonic() < end:
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if not ended:
            time.sleep(0.004)
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    if not ended:
        os.waitpid(pid, 0)
    return bool(ended)

def results():
    log, found = os.path.join(scratch, 'log'), os.path.join(scratch, 'map')
    open(found, 'w').close()
    run(code, files, os.devnull, log) and run(parser, [], log, found)
    try:
        return json.load(open(found))
    except ValueError:
        return {}

preload()
if not os.path.exists(seen):
    results()
    preload()
for index, path, head, tail, text in batch['trials']:
    before = open(path, 'rb').read()
    with open(path, 'r+b') as target:
        target.truncate()
        target.write(before[:head] + text.encode() + before[tail:])
    found = results()
    passed, failed = (sum(status == word for status in found.values()) for word in ('passed', 'failed'))
    if passed > batch['best']:
        print('#solver# won %d %d %d' % (index, passed, failed), file=out, flush=True)
        break
    with open(path, 'r+b') as target:
        target.truncate()
        target.write(before)
    print('#solver# trial %d %d %d' % (index, passed, failed), file=out, flush=True)
`

export interface ForkSetup extends Deadlines { scratch: string; parser: string; script: string }

/** Like `batchCommand`, through the forking interpreter. */
export function forkCommand ({ scratch, parser, script, cpuSeconds, wallSeconds }: ForkSetup, best: number, trials: readonly Trial[]): string {
  const batch = { scratch, parser, best, cpu: cpuSeconds, wall: wallSeconds, trials: trials.map(trialArguments) }
  const file = (name: string): string => shellQuote(`${scratch}/${name}`)
  return [
    `printf %s ${shellQuote(JSON.stringify(batch))} > ${file('batch.json')}`,
    'real=$(command -v python || command -v python3)',
    `SOLVER_PYTHON=$real SOLVER_BATCH=${file('batch.json')} PATH=${file('shim')}:$PATH timeout -k 1 ${wallSeconds * trials.length + 10} bash ${shellQuote(script)} 2> /dev/null < /dev/null`
  ].join('\n')
}

/** Bash that leaves the interpreter's programs in scratch. */
export function installForking (scratch: string): string {
  const write = (name: string, text: string): string => `printf %s ${shellQuote(text)} > ${shellQuote(`${scratch}/${name}`)}`
  return [`mkdir -p ${shellQuote(`${scratch}/shim`)}`, write('fork.py', forkProgram), write('shim/python', shim(scratch)),
    `chmod +x ${shellQuote(`${scratch}/shim/python`)}`].join(' && ')
}
