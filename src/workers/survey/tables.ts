// Names by which code asks for something that a bug has no use for: what differs from run to run, and what tells that tests
// run. A name is a chain of identifiers (`os.listdir`), found anywhere in a longer chain; `^` in front of it: only where the
// chain begins; `()` behind it: only where it is called.

import type { Language } from '../mutate/types.ts'

export const rules = {
  chance: { check: 'determinism', says: 'asks for chance' },
  clock: { check: 'determinism', says: 'asks for the time' },
  host: { check: 'determinism', says: 'asks for the host, the process or its environment' },
  order: { check: 'determinism', says: 'depends on the order of a folder' },
  hash: { check: 'determinism', says: 'computes a hash' },
  itself: { check: 'determinism', says: 'looks at its own source' },
  files: { check: 'scope', says: 'reads, writes or looks for files' },
  harness: { check: 'scope', says: 'looks for the test runner' },
  process: { check: 'scope', says: 'starts, ends or hooks into processes' },
  timer: { check: 'scope', says: 'waits or starts threads' },
  network: { check: 'scope', says: 'asks the network' },
  stack: { check: 'scope', says: 'looks at who calls it' },
  hidden: { check: 'scope', says: 'makes code or names at run time' },
  copy: { check: 'scope', says: 'keeps a copy of the original code' },
  size: { check: 'scope', says: 'is too large or nests too deep to be looked through' },
  syntax: { check: 'bug', says: 'does not parse any more: a syntax error is no bug' }
} as const
export type Rule = keyof typeof rules

/** `modules`: what is imported, with or without `node:` in front. */
export interface Table { names: Partial<Record<Rule, string>>; modules: Partial<Record<Rule, string>> }

const javascript: Table = {
  names: {
    chance: 'Math.random randomBytes randomInt randomUUID randomFill randomFillSync getRandomValues',
    clock: 'Date.now ^Date() ^Date()new performance.now performance.timeOrigin process.hrtime hrtime process.uptime Temporal.Now',
    host: 'process.env process.pid process.ppid process.cpuUsage process.memoryUsage process.resourceUsage process.title os.hostname os.networkInterfaces os.userInfo os.uptime os.loadavg os.freemem import.meta.env',
    order: 'readdir readdirSync opendir opendirSync globSync',
    hash: 'createHash createHmac subtle.digest crypto.hash',
    itself: '__filename import.meta.url import.meta.filename',
    files: 'readFile readFileSync createReadStream createWriteStream existsSync statSync lstatSync accessSync openSync writeFile writeFileSync appendFile appendFileSync mkdirSync mkdtempSync readlinkSync realpathSync',
    harness: 'process.argv process.execArgv require.main require.cache module.parent module.children ^jest ^vitest ^mocha NODE_TEST_CONTEXT NODE_OPTIONS JEST_WORKER_ID VITEST VITEST_WORKER_ID npm_lifecycle_event',
    process: 'process.exit process.kill process.abort process.on process.once process.addListener process.prependListener process.exitCode process.reallyExit process.binding process.dlopen execSync spawnSync execFileSync execFile FinalizationRegistry',
    timer: '^setTimeout ^setInterval Atomics.wait',
    network: '^fetch() XMLHttpRequest ^WebSocket',
    stack: 'captureStackTrace prepareStackTrace stackTraceLimit arguments.callee',
    hidden: '^eval() ^Function() ^Function()new WebAssembly ^atob() ^require(?) ^Math.? ^process.? ^globalThis.? ^global.? ^window.?'
  },
  modules: {
    hash: 'crypto', order: 'glob fast-glob', files: 'fs fs/promises', host: 'os', clock: 'perf_hooks',
    process: 'child_process cluster worker_threads vm async_hooks diagnostics_channel inspector', timer: 'timers timers/promises', network: 'net http https http2 dgram dns tls',
    harness: 'test node:test vitest jest mocha tap', hidden: 'module'
  }
}

const python: Table = {
  names: {
    chance: 'random.random random.randint random.choice os.urandom uuid.uuid4 uuid4 ^hash()',
    clock: 'time.time time.monotonic time.perf_counter time.process_time time_ns perf_counter monotonic datetime.now datetime.utcnow datetime.today date.today time.localtime time.gmtime time.strftime',
    host: 'os.environ os.getenv os.environb os.getpid os.getppid os.uname os.getlogin getpid gethostname platform.node os.times os.getloadavg',
    order: 'os.listdir os.scandir os.walk listdir scandir iterdir rglob glob.glob iglob',
    hash: 'crc32 adler32',
    itself: '__file__ inspect.getsource getsource getsourcelines __code__ co_code',
    files: '^open() io.open read_text read_bytes write_text write_bytes os.path.exists os.path.isfile os.path.isdir os.path.getmtime os.path.getsize os.stat os.open os.access is_file() Path().exists()',
    harness: 'PYTEST_CURRENT_TEST sys.argv sys.modules sys.meta_path sys.path_hooks sys.path sys.gettrace ^pytest ^unittest',
    process: 'os._exit sys.exit os.kill os.abort os.system os.popen os.fork os.execv os.spawnv sys.settrace sys.setprofile sys.excepthook ^exit() ^quit() ^SystemExit',
    timer: 'time.sleep ^sleep()',
    stack: '_getframe currentframe f_back inspect.stack extract_stack',
    hidden: '^eval() ^exec() ^compile() ^__import__ ^__builtins__ ^globals() b64decode a85decode unhexlify import_module marshal.loads'
  },
  modules: {
    chance: 'random secrets uuid', clock: 'time', host: 'platform getpass', order: 'glob', hash: 'hashlib zlib hmac', itself: 'inspect linecache',
    files: 'shutil tempfile', process: 'subprocess multiprocessing signal atexit ctypes faulthandler', timer: 'threading sched concurrent.futures',
    network: 'socket ssl urllib.request http.client http.server requests', harness: 'pytest _pytest unittest nose conftest', hidden: 'importlib builtins base64 marshal'
  }
}

const go: Table = {
  names: {
    clock: 'time.Now time.Since time.Until', host: 'os.Hostname os.Getenv os.LookupEnv os.Environ os.Getpid os.Getppid runtime.NumCPU', order: 'os.ReadDir ioutil.ReadDir filepath.Walk filepath.WalkDir filepath.Glob',
    files: 'os.ReadFile os.Open os.OpenFile os.Stat os.Lstat os.WriteFile os.Create os.Mkdir os.MkdirAll ioutil.ReadFile ioutil.WriteFile', harness: 'os.Args testing.Testing flag.Lookup', process: 'os.Exit runtime.Goexit syscall.Exit syscall.Kill',
    timer: 'time.Sleep time.After time.AfterFunc time.NewTimer time.NewTicker time.Tick', stack: 'runtime.Caller runtime.Callers debug.Stack runtime.Stack'
  },
  modules: {
    chance: 'math/rand math/rand/v2 crypto/rand', hash: 'crypto/md5 crypto/sha1 crypto/sha256 crypto/sha512 hash/crc32 hash/fnv hash/adler32', process: 'os/exec os/signal plugin syscall', network: 'net net/http', harness: 'testing'
  }
}

export const tables: Record<Language, Table> = { javascript, typescript: javascript, python, go }

/** Words that no string of a bug needs, in any language. */
export const telltales = ['PYTEST_CURRENT_TEST', 'NODE_TEST_CONTEXT', 'JEST_WORKER_ID', 'VITEST_WORKER_ID', 'npm_lifecycle_event', 'sitecustomize', 'usercustomize', 'conftest', 'test_script.sh', 'test_files.txt', 'test_weaken', 'bug_inject', '/proc/', '/sys/']
