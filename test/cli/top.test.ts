// Goal: `spar top` redraws in place, follows the size of its terminal, and leaves it as it was. Method: the command in a terminal of its
// own (Python's pty), over the folder of a run.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { makeRun } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

/** Runs the command in a terminal of 24 x 100, makes it 10 x 40 after a drawing, and presses the key of its first argument after the next. */
const program = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
key, command = sys.argv[1], sys.argv[2:]
pid, master = pty.fork()
if pid == 0:
    time.sleep(0.5)
    os.execvp(command[0], command)
def size(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(24, 100)
before = termios.tcgetattr(master)
output = b''
def read(until):
    global output
    deadline = time.monotonic() + 90
    while not until():
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            sys.exit('nothing more came: ' + repr(output[-2000:]))
        if select.select([master], [], [], 0.1)[0]:
            try:
                output += os.read(master, 65536)
            except OSError:
                return
drawn = lambda since: output.find(b'\\x1b[H', since) >= 0 and output.find(b'\\x1b[J', output.find(b'\\x1b[H', since)) >= 0 and b'NODE' in output[since:]
read(lambda: drawn(0))
wide = len(output)
size(10, 40)
read(lambda: drawn(wide))
os.write(master, key.encode())
read(lambda: output.endswith(b'\\x1b[?25h\\x1b[?1049l'))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({'code': status, 'wide': output[:wide].decode(), 'narrow': output[wide:].decode(), 'restored': termios.tcgetattr(master)[:4] == before[:4]}))
`
const skip = spawnSync('python3', ['-c', 'import pty']).status === 0 || process.env['CI'] === 'true' ? false : 'there is no python3 with a pty'

for (const [name, key] of [['q', 'q'], ['ctrl-c', '\u0003']] as const) {
  t.test(`it is ended with ${name}`, { skip, timeout: 120_000 }, async t => {
    const folder = testFolder(t)
    const { store } = await makeRun(folder)
    const { status, stdout, stderr } = spawnSync('python3', ['-c', program, key, process.execPath, main, 'top', '--run', store.dir], { encoding: 'utf8', env: { ...process.env, SPAR_HOME: join(folder, 'home') } })
    t.equal(status, 0, stderr)
    const { code, wide, narrow, restored } = JSON.parse(stdout) as { code: number; wide: string; narrow: string; restored: boolean }
    t.equal(code, 0, narrow)
    t.ok(restored, 'the mode of the terminal is what it was')
    t.ok(wide.startsWith('\x1b[?1049h\x1b[?25l'), 'the other screen, without a cursor')
    t.ok(narrow.endsWith('\x1b[?25h\x1b[?1049l'), 'back again, with one')
    t.equal((wide + narrow).split('\x1b[?1049h').length, 2, 'the screen is taken once: what follows is drawn over it')
    const frame = narrow.split('\x1b[H').filter(text => text.includes('\x1b[J')).at(-1)!.split('\x1b[J')[0]!.split('\n').map(line => line.replace(/\x1b\[K|\r/g, ''))
    t.ok(frame.length <= 9 && frame.every(line => line.length <= 39), 'a smaller terminal is not overrun')
  })
}
