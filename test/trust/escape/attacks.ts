// What code in a sandbox may try against the machine: one attack a row. Each is a program that really tries. Where a wall does
// not hold it prints ESCAPED; where something is to be exhausted it takes all that it can get. `ends` is what the caller may
// see: `exit <code>`, or what killed the command (`timeout`, `memory`, `output`, `disk`). docs/trust-escape.md lists them all.

import type { SandboxLimits } from '../../../src/ports.ts'

/** What there is to be reached on the host. */
export interface Outside {
  /** Every address on which a server of the host listens, at this port. */
  addresses: string[]
  port: number
  /** Sockets of the host: in a folder, and abstract. */
  socket: string
  abstractName: string
  /** A file in a home of the host. */
  secret: string
  /** Of the process that runs Spar. */
  pid: number
}

export interface Step {
  run: string | ((outside: Outside) => string)
  ends: RegExp
  /** What it must have printed. */
  prints?: RegExp
  timeoutMs?: number
  outputBytesMax?: number
  /** Left alone afterwards for this long, or until it is gone: what it left behind goes on. */
  restMs?: number
}

export interface Attack {
  name: string
  /** Isolations that hold it; all where it is left out. */
  kinds?: string[]
  limits?: Partial<SandboxLimits>
  steps: Step[]
  /** Takes what neighbours need, too: they have to go on meanwhile. */
  exhausts?: boolean
  /** `ended`: the sandbox is no more, and says so. Else it answers on. */
  after?: 'ended'
}

const MiB = 2 ** 20
/** From the moment that a sandbox outgrew a limit, on however slow a machine. */
const goneMsMax = 30_000
const python = (program: string): string => `python3 - <<'PROGRAM'\n${program.trim()}\nPROGRAM`

const exhaustion: Attack[] = [
  {
    name: 'fork bomb',
    exhausts: true,
    limits: { pids: 128 },
    steps: [{ run: 'bomb () { bomb | bomb & }; bomb; sleep 60', ends: /^(timeout|exit \d+)$/, timeoutMs: 1_500 }]
  },
  {
    name: 'fork bomb left behind',
    exhausts: true,
    limits: { pids: 128 },
    steps: [
      { run: '(bomb () { bomb | bomb & }; bomb) >/dev/null 2>&1 &', ends: /^exit \d+$/, restMs: 300 },
      { run: 'ls /', ends: /^(timeout|exit \d+)$/, timeoutMs: 1_000 },
      { run: 'exit', ends: /^(timeout|exit \d+)$/, timeoutMs: 1_000 }
    ]
  },
  {
    name: 'memory bomb',
    exhausts: true,
    limits: { memoryBytes: 200 * MiB },
    steps: [{ run: python('held = []\nwhile True: held.append(bytearray(2 ** 24))'), ends: /^(memory|exit (137|1))$/ }]
  },
  {
    name: 'memory bomb in many processes',
    exhausts: true,
    limits: { memoryBytes: 200 * MiB },
    steps: [{ run: 'for i in 1 2 3 4 5 6; do python3 -c "x = bytearray(10 ** 8); import time; time.sleep(60)" & done; wait -n; exit $?', ends: /^(memory|exit (137|1))$/ }]
  },
  {
    name: 'memory taken as shared memory',
    exhausts: true,
    limits: { memoryBytes: 200 * MiB },
    steps: [{ run: 'head -c 900000000 /dev/zero >/dev/shm/taken', ends: /^(memory|exit [1-9]\d*)$/ }]
  },
  {
    name: 'disk bomb',
    exhausts: true,
    limits: { diskBytes: 300 * MiB },
    steps: [{ run: 'for ((i = 0; ; i++)); do head -c 40000000 /dev/zero >big$i || sleep 0.1; done 2>/dev/null', ends: /^disk$/ }],
    after: 'ended'
  },
  {
    name: 'disk allocated without writing',
    exhausts: true,
    limits: { diskBytes: 300 * MiB },
    steps: [{
      run: python(`
import os, time
for number in range(20):
  fd = os.open('allocated%d' % number, os.O_CREAT | os.O_WRONLY)
  os.posix_fallocate(fd, 0, 40_000_000)
time.sleep(60)`),
      ends: /^disk$/
    }],
    after: 'ended'
  },
  {
    name: 'disk filled between two commands',
    exhausts: true,
    limits: { diskBytes: 300 * MiB },
    steps: [
      { run: '(for i in {1..20}; do head -c 40000000 /dev/zero >big$i; done) >/dev/null 2>&1 &', ends: /^exit 0$/, restMs: goneMsMax },
      { run: 'echo on', ends: /^disk$/ }
    ],
    after: 'ended'
  },
  {
    name: 'inode exhaustion',
    exhausts: true,
    limits: { diskFiles: 4_000 },
    steps: [{
      run: python(`
import os, time
for number in range(12_000):
  if number % 1_000 == 0: os.mkdir('folder%d' % (number // 1_000))
  os.close(os.open('folder%d/%d' % (number // 1_000, number), os.O_CREAT | os.O_WRONLY))
time.sleep(60)`),
      ends: /^disk$/,
      timeoutMs: 60_000
    }],
    after: 'ended'
  },
  {
    name: 'files where nobody may look',
    exhausts: true,
    limits: { diskBytes: 300 * MiB },
    steps: [{ run: 'mkdir -p hidden/below && for i in {1..20}; do head -c 40000000 /dev/zero >hidden/below/$i; done; chmod 000 hidden; sleep 60', ends: /^disk$/ }],
    after: 'ended'
  },
  {
    name: 'folders deeper than a path may be long',
    steps: [{ run: python('import os\nfor depth in range(400):\n  os.mkdir("d" * 100); os.chdir("d" * 100)\nopen("file", "w").close()'), ends: /^exit 0$/ }]
  },
  {
    name: 'file descriptor exhaustion',
    exhausts: true,
    limits: { pids: 128 },
    steps: [{
      run: python(`
import os, resource, time
for child in range(20):
  if os.fork() == 0: break
held = 0
try:
  while held < 100_000:
    os.open('/dev/null', os.O_RDONLY); held += 1
except OSError: pass
if held > 4096: print('ESCAPED', held)
try:
  resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192)); print('ESCAPED')
except (ValueError, PermissionError): pass
time.sleep(0.5)`),
      ends: /^exit 0$/
    }]
  },
  {
    name: 'output flood of 10 GB',
    exhausts: true,
    steps: [{ run: 'yes "$(seq -s " " 1000)" | head -c 10000000000', ends: /^output$/, outputBytesMax: 64 * 1024 }]
  },
  {
    name: 'output flood between two commands',
    exhausts: true,
    steps: [
      { run: '(sleep 0.2; exec yes) & disown', ends: /^exit 0$/, restMs: 1_500 },
      { run: 'sleep 20', ends: /^output$/, outputBytesMax: 64 * 1024 }
    ]
  },
  {
    name: 'end mark forged and never ended',
    exhausts: true,
    // The mark stands in the shell's own input, behind the command: who reads on there has it.
    steps: [{ run: 'for fd in 10 11 12 0; do read -t 1 -r -u $fd line && [[ $line =~ [0-9a-f]{24} ]] && break; done 2>/dev/null; printf "\\0%s " "${BASH_REMATCH[0]}"; yes x | tr -d "\\n"', ends: /^output$/, outputBytesMax: 64 * 1024 }]
  }
]

const endings: Attack[] = [
  {
    name: 'sleep past every deadline',
    steps: [{ run: 'trap "" TERM INT HUP QUIT; sleep 600 & while :; do sleep 1; done', ends: /^timeout$/, timeoutMs: 400 }]
  },
  {
    name: 'shell that is stopped',
    steps: [{ run: 'kill -STOP $$; echo on', ends: /^timeout$/, timeoutMs: 400 }]
  },
  {
    name: 'daemons that outlive the command',
    steps: [{ run: python('import os, time\nfor _ in range(2):\n  if os.fork() > 0: os._exit(0)\n  os.setsid()\nos.chdir("/")\nfor fd in range(3): os.close(fd)\ntime.sleep(600)'), ends: /^exit 0$/ }]
  },
  {
    name: 'signals to the supervisor',
    steps: [
      { run: 'kill -9 -1', ends: /^exit \d+$/ },
      { run: 'sh -c "kill -9 -1"', ends: /^exit \d+$/ },
      { run: 'for signal in HUP INT QUIT ABRT SEGV TERM KILL; do kill -$signal 1 2 3 $PPID; done 2>/dev/null; sh -c "kill -KILL -1"', ends: /^exit \d+$/ },
      { run: outside => `kill -9 ${outside.pid} && echo ESCAPED`, ends: /^exit [1-9]\d*$/ }
    ]
  },
  {
    name: 'ptrace of the supervisor',
    steps: [{
      // Where they are of one user (containers) it gets hold of it, and ends itself with it: then that is what is seen.
      run: python(`
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid()):
  if libc.ptrace(16, pid, 0, 0) == 0:
    time.sleep(0.1); libc.ptrace(8, pid, 0, 0)
print('on')`),
      ends: /^(exit \d+|timeout)$/,
      timeoutMs: 1_500
    }, { run: 'exit', ends: /^(exit \d+|timeout)$/, timeoutMs: 1_000 }]
  }
]

const connects = (outside: Outside): string => python(`
import socket
def reached (what, connect):
  try:
    connect(); print('ESCAPED', what)
  except OSError: pass
def tcp (address):
  return lambda: socket.create_connection((address, ${outside.port}), timeout=0.5)
for address in ${JSON.stringify([...outside.addresses, '172.17.0.1', 'localhost', 'host.docker.internal'])}: reached(address, tcp(address))
def unix (path):
  return lambda: socket.socket(socket.AF_UNIX).connect(path)
for path in [${JSON.stringify(outside.socket)}, '\\0' + ${JSON.stringify(outside.abstractName)}, '/run/docker.sock', '/var/run/docker.sock', '/run/containerd/containerd.sock', '/run/systemd/private', '/run/dbus/system_bus_socket']:
  reached(path, unix(path))
def datagram ():
  socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))
reached('datagram', datagram)`)

/** Calls of the system by name, as no program with a fixed idea of what is allowed would make them. */
const calls = (lines: string): string => python(`
import ctypes, os, resource, socket, time
libc = ctypes.CDLL(None, use_errno=True)
def tried (what, attempt):
  try: ok = attempt()
  except (OSError, ValueError): return
  if ok not in (None, -1, False): print('ESCAPED', what)
${lines.trim()}`)

const walls: Attack[] = [
  { name: 'services of the host and its engine', steps: [{ run: connects, ends: /^exit 0$/ }] },
  {
    name: 'raw and other sockets',
    steps: [{
      run: calls(`
tried('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
tried('raw 6', lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58))
tried('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))`),
      ends: /^exit 0$/
    }]
  },
  {
    name: 'sockets to the machine around a virtual one',
    kinds: ['bubblewrap'],
    steps: [{ run: calls("tried('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))\ntried('alg', lambda: socket.socket(38, socket.SOCK_SEQPACKET))\ntried('io_uring', lambda: libc.syscall(425, 1, bytes(120)) + 1)"), ends: /^exit 0$/ }]
  },
  {
    name: 'mounting',
    steps: [{
      run: calls(`
tried('tmpfs', lambda: libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) + 1)
tried('proc', lambda: libc.mount(b'proc', b'/tmp', b'proc', 0, None) + 1)
tried('bind', lambda: libc.mount(b'/', b'/tmp', None, 4096, None) + 1)
tried('writable', lambda: libc.mount(None, b'/usr', None, 32 | 4096, None) + 1)
tried('unmount', lambda: libc.umount2(b'/etc', 2) + 1)
tried('new root', lambda: libc.chroot(b'/tmp') + 1)
for flag in (0x00020000, 0x10000000, 0x20000000, 0x40000000):
  tried('namespace %x' % flag, lambda: libc.unshare(flag) + 1)
tried('fsopen', lambda: libc.syscall(430, b'tmpfs', 0) + 1)
tried('namespace of another', lambda: libc.setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0) + 1)`),
      ends: /^exit 0$/
    }]
  },
  {
    name: 'devices',
    steps: [{
      run: calls(`
import stat
for kind, major, minor in ((stat.S_IFBLK, 8, 0), (stat.S_IFBLK, 254, 0), (stat.S_IFCHR, 1, 1)):
  def attempt ():
    os.mknod('node', kind | 0o666, os.makedev(major, minor))
    return os.open('node', os.O_RDONLY)
  tried('node %d' % major, attempt)
for name in ('mem', 'kmem', 'port', 'kmsg', 'sda', 'vda', 'nvme0n1', 'loop0', 'loop-control', 'fuse', 'kvm', 'vsock', 'net/tun', 'mapper/control', 'uinput'):
  tried(name, lambda: os.open('/dev/' + name, os.O_RDWR))`),
      ends: /^exit 0$/
    }]
  },
  {
    name: '/proc and /sys',
    steps: [{
      run: calls(`
def write (path, text):
  def attempt ():
    with open(path, 'w') as file: file.write(text)
    return True
  return attempt
for path, text in (('/proc/sysrq-trigger', 'h'), ('/proc/sys/kernel/core_pattern', '|/bin/true'), ('/proc/sys/vm/overcommit_memory', '1'), ('/proc/self/oom_score_adj', '-1000'),
                   ('/sys/kernel/uevent_helper', '/bin/true'), ('/sys/power/state', 'mem'), ('/sys/fs/cgroup/cgroup.procs', '0'), ('/sys/fs/cgroup/memory/release_agent', '/bin/true')):
  tried(path, write(path, text))
for path in ('/proc/kcore', '/proc/kmsg', '/proc/1/root/proc/1/root/root/.ssh'): tried(path, lambda: os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1))`),
      ends: /^exit 0$/
    }]
  },
  {
    name: 'rights and priority',
    steps: [{
      run: calls(`
tried('nice', lambda: os.nice(-5) < 0)
tried('real time', lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) is None)
tried('clock', lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()) is None)
tried('host name', lambda: socket.sethostname('mine') is None)
tried('hard limit', lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1)) is None)
tried('other user', lambda: os.setuid(12345) is None)
tried('reboot', lambda: libc.syscall(169, 0xfee1dead, 0, 0, 0) + 1 if os.uname().machine == 'x86_64' else None)
if 'CapEff:\\t0000000000000000' not in open('/proc/self/status').read(): print('ESCAPED capabilities')`),
      ends: /^exit 0$/
    }]
  },
  {
    name: 'files of the host',
    steps: [{
      run: ({ secret, pid }) => `
paths="${secret} ../../../../../..${secret} /proc/1/root${secret} /proc/1/cwd/../../..${secret} /proc/${pid}/root${secret}"
for path in $paths; do ln -sf "$path" link; cat "$path" link; ln "$path" hard && cat hard; done 2>/dev/null | grep -c .
for path in $paths; do echo written >>"$path"; done 2>/dev/null
true`,
      ends: /^exit 0$/,
      prints: /^0\n$/
    }]
  }
]

export const attacks: readonly Attack[] = [...exhaustion, ...endings, ...walls]
