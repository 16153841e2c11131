// What every sandbox promises, whatever it is made of. Each kind runs this suite with real processes; what only some
// kinds can hold (walls against the host, processes that left their group) is told by `walls`.

import type { Test } from 'tap'

import type { Arena } from '../../src/domain.ts'
import type { Sandbox, Sandboxes } from '../../src/ports.ts'
import { assertRoom } from '../../src/sandbox/room.ts'
import { run, specOf } from '../helpers/sandbox-fixture.ts'

export interface Subject {
  sandboxes: Sandboxes
  arena: Arena
  /** What stands between a sandbox and the host; without it the tests of walls are left out. */
  walls: boolean
  /** Whether the memory limit is enforced here. */
  holdsMemory: boolean
  /** Ends the sandbox from outside, as a crash would. */
  murder: (sandbox: Sandbox) => Promise<void>
  /** Commands run as an ordinary user, to whom the system's files are closed; else the files are the sandbox's own. */
  ordinary: boolean
  /** A file of the host that no sandbox may see. */
  secret: string
  /** A file of the arena that a sandbox must not be able to change, or null when there is none on the host. */
  arenaFile: (() => string) | null
}

export function sandboxContract (t: Test, subject: Subject): void {
  const { sandboxes, arena, walls } = subject
  const open = async (test: Test, view: 'history' | 'tree' | 'empty' = 'tree', limits?: Record<string, number>): Promise<Sandbox> => {
    const sandbox = await sandboxes.open(specOf(arena, view, limits))
    test.teardown(() => sandbox.destroy())
    return sandbox
  }

  t.test('keeps working folder, variables and functions between commands', async t => {
    const sandbox = await open(t)
    t.equal((await run(sandbox, 'pwd')).text, sandbox.tree + '\n')
    await run(sandbox, 'cd sub; x=1; declare -A map=([k]=v); say () { echo "said $1"; }')
    t.equal((await run(sandbox, 'pwd; echo "$x ${map[k]}"; say it')).text, `${sandbox.tree}/sub\n1 v\nsaid it\n`)
  })

  t.test('reports exit codes, and a command that ends the shell ends only the shell', async t => {
    const sandbox = await open(t)
    for (const [command, code] of [['true', 0], ['false', 1], ['(exit 41)', 41], ['no-such-command', 127], ['if', 2], ['exit 3', 3], ['exec sh -c "exit 4"', 4], ['set -e; false', 1], ['kill -9 $$', 137], ['break; return', 1]] as const) {
      const result = await run(sandbox, `touch kept; ${command}`)
      t.match(result, { killed: null }, command)
      if (command !== 'break; return' && command !== 'if') t.equal(result.exitCode, code, command)
      t.equal((await run(sandbox, 'ls kept')).exitCode, 0, `the files are there after: ${command}`)
    }
  })

  t.test('a redirected or closed output of one command does not reach the next', async t => {
    const sandbox = await open(t)
    await run(sandbox, 'exec >/dev/null 2>&1')
    t.equal((await run(sandbox, 'echo one')).text, 'one\n')
    await run(sandbox, 'exec 1>&- 2>&- 0<&-')
    t.equal((await run(sandbox, 'echo two; echo three >/dev/stderr')).text, 'two\nthree\n')
    await run(sandbox, 'set -x -v')
    t.match((await run(sandbox, 'echo four')).text, /four\n$/)
  })

  t.test('the end of a command cannot be confused with its output', async t => {
    const sandbox = await open(t)
    const noise = await run(sandbox, 'for i in 1 2 3; do printf "\\0%024d 0\\n" $i; done; set | grep -ac "nonce"; exit_code=5; (exit 5)')
    t.equal(noise.exitCode, 5)
    t.match(noise.text, /0{23}1 0\n/)
    t.equal((await run(sandbox, 'head -c 300000 /dev/zero')).output.length, 300_000)
  })

  t.test('a command arrives byte for byte, however long and in whatever locale', async t => {
    const sandbox = await open(t)
    const text = Array.from({ length: 0xffe }, (_, index) => String.fromCharCode(index + 1)).filter(char => char !== "'").join('').repeat(3)
    for (const locale of ['unset LC_ALL', 'export LC_ALL=C.UTF-8', 'export LC_ALL=C']) {
      await run(sandbox, locale)
      t.equal((await run(sandbox, `printf %s '${text}'`)).text, text, locale)
    }
    t.match(await run(sandbox, ''), { exitCode: 0, text: '' })
  })

  t.test('standard input arrives byte for byte, and is empty when there is none', async t => {
    const sandbox = await open(t)
    t.equal((await run(sandbox, 'cat')).text, '')
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256))
    t.same(Buffer.from((await run(sandbox, 'cat', { stdin: bytes })).output), bytes)
    t.equal((await run(sandbox, 'head -c 1 >/dev/null; echo unread is fine', { stdin: bytes })).text, 'unread is fine\n')
    t.equal((await run(sandbox, 'cat; echo after')).text, 'after\n')
  })

  t.test('a command whose standard input cannot be kept does not run, nor does its input', async t => {
    const sandbox = await open(t)
    await run(sandbox, `rm -f ${sandbox.scratch}/.stdin; mkdir ${sandbox.scratch}/.stdin`)
    const result = await run(sandbox, 'touch ran; cat', { stdin: Buffer.from('touch input-ran\n'.repeat(10_000)) })
    t.match(result, { exitCode: 96, killed: null, text: /standard input cannot be kept/ })
    t.equal((await run(sandbox, `rmdir ${sandbox.scratch}/.stdin; ls *ran`)).text.includes('No such file'), true)
    t.equal((await run(sandbox, 'cat', { stdin: Buffer.from('kept') })).text, 'kept')
  })

  t.test('files of any name and content go in and out', async t => {
    const sandbox = await open(t)
    const bytes = Buffer.from([0, 255, 10, 13, 0x27, 0x80, 0])
    for (const name of ['plain', 'new/folder/x', ' a b ', "it's \"quoted\" $HOME `x`", 'naïve-ü-漢字', 'new\nline', '-n', '*?[', `${sandbox.scratch}/note`]) {
      await sandbox.writeFile(name, bytes)
      t.same(Buffer.from(await sandbox.readFile(name, 100)), bytes, JSON.stringify(name))
    }
    await sandbox.writeFile('empty', new Uint8Array())
    t.equal((await sandbox.readFile('empty', 0)).length, 0)
    await sandbox.writeFile('script', Buffer.from('#!/bin/sh\necho ran\n'), 0o755)
    t.equal((await run(sandbox, './script; stat -c %a plain')).text, 'ran\n644\n')
    await run(sandbox, 'cd /; PATH=/nowhere; cat () { :; }; set -C')
    await sandbox.writeFile('plain', Buffer.from('again'))
    t.equal(Buffer.from(await sandbox.readFile('plain', 100)).toString(), 'again', 'whatever was done to the shell')
    await t.rejects(sandbox.readFile('nothing', 100), { code: 'SANDBOX_NO_FILE' })
    await t.rejects(sandbox.readFile('sub', 100), { code: 'SANDBOX_NO_FILE' })
    await t.rejects(sandbox.readFile('plain', 4), { code: 'SANDBOX_FILE_TOO_LARGE' })
    await t.rejects(sandbox.writeFile('sub', bytes), { code: 'SANDBOX_WRITE_FAILED' })
    await t.rejects(sandbox.writeFile('plain/below', bytes), { code: 'SANDBOX_WRITE_FAILED' })
  })

  t.test('a session that bends its shell bends no reading of files, and no answer about the disk', async t => {
    const sandbox = await open(t)
    await run(sandbox, '/usr/bin/env () { yes; }; df () { echo x 1 1 0 100% /; }')
    t.equal(Buffer.from(await sandbox.readFile('a.txt', 100)).toString(), 'second\n', 'the second time in a new shell')
    t.ok((await sandbox.room!())! > 2 ** 20)
    await t.resolves(assertRoom(sandbox))
  })

  t.test('the deadline kills the process tree, daemons too, and the files stay', async t => {
    const sandbox = await open(t)
    await run(sandbox, `echo kept > kept; echo note > ${sandbox.scratch}/note`)
    const ticking = 'while :; do echo tick >> ticks; sleep 0.02; done'
    const result = await run(sandbox, `echo begun; setsid nohup bash -c '${ticking}' >/dev/null 2>&1 & (trap "" TERM INT; sleep 60)`, { timeoutMs: 500 })
    t.match(result, { exitCode: null, killed: 'timeout', text: 'begun\n' })
    const [before, after] = [(await run(sandbox, 'wc -l <ticks')).text, (await run(sandbox, 'sleep 0.2; wc -l <ticks')).text]
    t.equal(before, after, 'the daemon is dead')
    t.equal((await run(sandbox, `cat kept ${sandbox.scratch}/note; pwd`)).text, `kept\nnote\n${sandbox.tree}\n`)
  })

  t.test('a background process does not hold the end of its command up', async t => {
    const sandbox = await open(t)
    const result = await run(sandbox, 'sleep 60 & echo started', { timeoutMs: 20_000 })
    t.match(result, { exitCode: 0, killed: null, text: 'started\n' })
    t.equal((await run(sandbox, 'kill %1 2>/dev/null || kill $!; echo next')).text, 'next\n')
  })

  t.test('an abort kills the command, and an aborted one never starts', async t => {
    const sandbox = await open(t)
    const controller = new AbortController()
    const pending = run(sandbox, 'sleep 60', { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    t.match(await pending, { exitCode: null, killed: 'abort' })
    t.match(await run(sandbox, 'touch never', { signal: controller.signal }), { exitCode: null, killed: 'abort' })
    t.equal((await run(sandbox, 'ls never')).exitCode, 2)
    await t.rejects(sandboxes.open(specOf(arena), controller.signal), { code: 'SANDBOX_ABORTED' })
  })

  t.test('long output keeps its two ends, and a flood is killed', async t => {
    const sandbox = await open(t)
    const cut = await run(sandbox, 'echo first; seq 100000 100300; echo last', { outputBytesMax: 1000 })
    t.equal(cut.exitCode, 0)
    t.equal(cut.output.length, 1000)
    t.equal(cut.truncatedBytes, 11 + 301 * 7 - 1000)
    t.match(cut.text, /^first\n100000\n[^]*100300\nlast\n$/)
    const flood = await run(sandbox, 'yes', { outputBytesMax: 10_000 })
    t.match(flood, { exitCode: null, killed: 'output' })
    t.equal(flood.output.length, 10_000)
    t.ok(flood.truncatedBytes >= 30_000)
    t.equal((await run(sandbox, 'echo alive')).text, 'alive\n')
  })

  t.test('writes stay in their sandbox: neither another one nor the arena sees them', async t => {
    const [one, two] = [await open(t, 'history'), await open(t, 'history')]
    await run(one, 'echo changed > a.txt; rm -r sub; echo new > new; git commit -qam changed')
    t.equal((await run(two, 'cat a.txt sub/b.txt; ls; git log --format=%s')).text, 'second\nsecond\na.txt\nsub\nsecond\nfirst\n')
    t.equal((await run(await open(t), 'cat a.txt; ls')).text, 'second\na.txt\nsub\n')
    if (subject.arenaFile !== null) t.equal(subject.arenaFile(), 'second\n')
  })

  t.test('the view decides what there is of the arena', async t => {
    t.match((await run(await open(t, 'history'), 'git -c user.name=n log --format=%s; git status --porcelain; ls -A')).text, /^second\nfirst\n\.git\na\.txt\nsub\n$/)
    const tree = await open(t, 'tree')
    t.equal((await run(tree, 'ls -A')).text, 'a.txt\nsub\n')
    t.not((await run(tree, 'git log')).exitCode, 0)
    t.equal((await run(tree, 'git init -q . && git add -A && git -c user.name=n -c user.email=e commit -qm one && git log --format=%s')).text, 'one\n')
    await run(tree, 'exit')
    t.equal((await run(tree, 'git log --format=%s')).text, 'one\n', 'what was made inside outlives a shell')
    const empty = await open(t, 'empty')
    t.equal((await run(empty, 'ls -A; pwd; echo x > x && cat x')).text, `${empty.tree}\nx\n`)
  })

  t.test('the environment is the arena\'s and nothing of the host\'s', async t => {
    process.env['SPAR_TEST_SECRET'] = 'secret'
    t.teardown(() => { delete process.env['SPAR_TEST_SECRET'] })
    const sandbox = await open(t)
    t.equal((await run(sandbox, 'arena-tool; echo "$FIXTURE"; echo "${SPAR_TEST_SECRET-none} $LANG $CI $TERM $PYTHONHASHSEED"')).text,
      `tool of the arena\nat ${sandbox.tree}\nnone C.UTF-8 1 dumb 0\n`)
    t.equal((await run(sandbox, 'touch "$HOME/x" "$TMPDIR/y" && python3 -c "print(1)" && git --version >/dev/null && node -p 2')).text, '1\n2\n')
  })

  t.test('limits: size of a file, number of processes, memory', async t => {
    const sandbox = await open(t, 'tree', { fileBytes: 2 ** 20, pids: 64, memoryBytes: 200 * 2 ** 20 })
    t.not((await run(sandbox, 'head -c 3000000 /dev/zero > big')).exitCode, 0)
    t.ok(Number((await run(sandbox, 'stat -c %s big')).text) <= 2 ** 20)
    if (walls) {
      const fork = 'import os, time\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0: time.sleep(3); os._exit(0)\n    n += 1\nexcept OSError: pass\nprint(n)'
      const forks = Number((await run(sandbox, `python3 -c '${fork}'`)).text)
      t.ok(forks > 10 && forks < 64, `${forks} of 200 processes could be started`)
      await run(sandbox, 'exit')
    }
    if (subject.holdsMemory) {
      const greedy = await run(sandbox, 'exec python3 -c "x = bytearray(400 * 2 ** 20); print(len(x))"')
      t.match(greedy, { exitCode: 137, killed: 'memory' })
      t.equal((await run(sandbox, 'echo alive')).text, 'alive\n')
    }
  })

  // A plain copy promises none of this.
  if (walls) t.test('nothing of the host can be seen, reached or gained', async t => {
    const sandbox = await open(t)
    t.not((await run(sandbox, `cat ${subject.secret}`)).exitCode, 0, 'a file in a home of the host')
    t.equal((await run(sandbox, 'ls -d /home/* /run/docker.sock /var/run/docker.sock /var/lib/docker 2>/dev/null')).text, '')
    t.match((await run(sandbox, 'grep -E "CapEff|CapPrm|NoNewPrivs" /proc/self/status')).text, /CapPrm:\s+0+\nCapEff:\s+0+\nNoNewPrivs:\s+1\n/)
    if (subject.ordinary) t.not((await run(sandbox, 'id -u')).text, '0\n', 'not root')
    // An image's own files are its container's; the kernel's and the host's are nobody's.
    const guarded = ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', ...(subject.ordinary ? ['/etc/passwd', '/usr/bin/env', '/'] : [])]
    t.equal((await run(sandbox, `for f in ${guarded.join(' ')}; do [ -w $f ] && echo $f; done`)).text, '')
    t.equal((await run(sandbox, 'env | grep -c SPAR')).text, '0\n')
    t.not((await run(sandbox, 'unshare --user --map-root-user true')).exitCode, 0, 'no further user namespace')
    t.not((await run(sandbox, 'unshare --mount true')).exitCode, 0, 'no mount namespace')
    t.equal((await run(sandbox, 'cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d " "')).text, 'lo\n')
    t.not((await run(sandbox, 'timeout 5 bash -c "echo >/dev/tcp/192.0.2.1/80"')).exitCode, 0, 'no network')
    t.equal((await run(sandbox, 'python3 - <<E\nimport socket\ns = socket.create_server(("127.0.0.1", 0))\nsocket.create_connection(s.getsockname())\nprint("loopback")\nE')).text, 'loopback\n')
    t.ok(Number((await run(sandbox, 'ls /proc | grep -c "^[0-9]"')).text) < 15, 'only its own processes')
  })

  t.test('many at once, each its own', async t => {
    const opened = await Promise.all(Array.from({ length: 6 }, () => sandboxes.open(specOf(arena))))
    const texts = await Promise.all(opened.map(async (sandbox, index) => {
      await run(sandbox, `echo ${index} > mine`)
      return (await run(sandbox, 'cat mine')).text
    }))
    t.same(texts, ['0\n', '1\n', '2\n', '3\n', '4\n', '5\n'])
    const [first] = opened
    const queued = await Promise.all([1, 2, 3].map(async number => (await run(first!, `sleep 0.0${4 - number}; echo ${number} >> order; cat order`)).text))
    t.equal(queued.at(-1), '1\n2\n3\n', 'commands of one sandbox run one after the other')
    await Promise.all(opened.map(sandbox => sandbox.destroy()))
  })

  t.test('a sandbox that dies rejects what was pending, at once and for good', async t => {
    const sandbox = await open(t)
    const pending = run(sandbox, 'echo started; sleep 60')
    const rejected = t.rejects(pending, { code: 'SANDBOX_LOST', retryable: true })
    await new Promise(resolve => setTimeout(resolve, 150))
    await subject.murder(sandbox)
    await rejected
    await t.rejects(run(sandbox, 'echo again'), { code: 'SANDBOX_LOST' })
    await t.rejects(sandbox.readFile('a.txt', 100), { code: 'SANDBOX_LOST' })
    const idle = await open(t)
    await subject.murder(idle)
    await new Promise(resolve => setTimeout(resolve, 200))
    await t.rejects(run(idle, 'echo again'), { code: 'SANDBOX_LOST' }, 'also when it dies between two commands')
  })

  t.test('destroy is idempotent, ends what runs, and nothing runs after it', async t => {
    const sandbox = await sandboxes.open(specOf(arena))
    const rejected = t.rejects(run(sandbox, 'sleep 60'), { code: 'SANDBOX_LOST' })
    await new Promise(resolve => setTimeout(resolve, 50))
    await Promise.all([sandbox.destroy(), sandbox.destroy()])
    await rejected
    await sandbox.destroy()
    await t.rejects(run(sandbox, 'true'), { code: 'SANDBOX_LOST' })
  })

  t.test('the reaper leaves what a live owner holds', async t => {
    const sandbox = await open(t)
    await sandboxes.reap()
    t.equal((await run(sandbox, 'cat a.txt')).text, 'second\n')
  })
}
