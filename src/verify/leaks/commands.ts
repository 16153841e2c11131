// The commands of the search, all of them run in the solver's own sandbox, by the system's own programs. Paths come out with
// NUL behind each, or one a line from grep: a copy whose name holds a line feed is found by its name only.
//
// What is of the original (text, ids) comes on standard input, and is read by processes that end: the shell that the solver
// goes on with keeps what was written to it in its memory.

import type { SandboxFolders } from '../../ports.ts'
import { globQuote, shellQuote } from '../../quote.ts'
import { bareGit } from '../tree.ts'
import type { LeakLimits } from './limits.ts'

const quoted = (words: readonly string[]): string => words.map(shellQuote).join(' ')
const own = 'export LC_ALL=C PATH="/usr/local/bin:/usr/bin:/bin:$PATH"; unset GREP_OPTIONS'
const sub = (lines: readonly string[]): string => `( ${[own, ...lines].join('\n')} )`

/** Exit code where the tree is not there. */
export const noTree = 96

// ---- git ------------------------------------------------------------------------------------------------------------

/** Objects that are in the repository and not of the commit, or the other way; refs; changes of the index; other files. A part each, NUL between. */
export const gitCommand = ({ tree }: SandboxFolders, commit: string): string => sub([
  `cd -- ${shellQuote(tree)} || exit ${noTree}`,
  'exec 2>/dev/null',
  `commit=${commit}`,
  `comm -3 <(${bareGit} rev-list --objects --no-object-names "$commit" -- | sort) <(${bareGit} cat-file --batch-all-objects --unordered --batch-check='%(objectname)' | sort) | head -n 20`,
  "printf '\\0'",
  `${bareGit} for-each-ref --format='%(refname) %(objectname)' | head -n 20`,
  "printf '\\0'",
  `${bareGit} diff-index --cached --name-only "$commit" -- | head -n 20`,
  "printf '\\0'",
  "find .git -type f ! -path '.git/objects/??/*' | head -n 100"
])

// ---- names ----------------------------------------------------------------------------------------------------------

const anyName = (names: readonly string[]): string => names.map(name => `-name ${shellQuote(name)}`).join(' -o ')

export const archiveNames = /\.(?:whl|zip|egg|tgz|tbz2?|txz|tar|tar\.(?:gz|bz2|xz)|crate)$|\/_cacache\/content-v2\/|\/pip\/http[^/]*\/.*\/[0-9a-f]{20,}[^/]*$/i
const archiveGlobs = ['*.whl', '*.zip', '*.egg', '*.tgz', '*.tbz', '*.tbz2', '*.txz', '*.tar', '*.tar.gz', '*.tar.bz2', '*.tar.xz', '*.crate']
const hex = (digits: number): string => '[0-9a-f]'.repeat(digits)
const stores = `-name '*.pack' -o -name '*.bundle' -o -path '*/${hex(2)}/${hex(38)}'`

/** Files below the tree and the writable folders whose names say that they may be of interest; not in the solver's own repository. */
export function namesCommand (roots: readonly string[], without: readonly string[], { tree }: SandboxFolders, names: readonly string[], { namesBytesMax }: LeakLimits): string {
  const wanted = [...new Set(names.flatMap(name => [`*${globQuote(name)}*`, `${globQuote(stemOf(name))}.*`]))]
  return sub([
    `find ${quoted(roots)} \\( ${[`${tree}/.git`, ...without].map(path => `-path ${shellQuote(globQuote(path))}`).join(' -o ')} \\) -prune -o -type f \\( ${anyName([...wanted, ...archiveGlobs])} -o ${stores} -o -path '*/_cacache/content-v2/*' -o -path '*/pip/http*' \\) -print0 2>/dev/null | head -c ${namesBytesMax + 1}`
  ])
}

export const stemOf = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, '')

/** Folders that hold neither sources nor archives. */
const dull = ['/proc', '/sys', '/dev', '/usr/share/man', '/usr/share/locale', '/usr/share/icons', '/usr/share/zoneinfo', '/usr/share/terminfo', '/usr/share/fonts', '/usr/share/i18n']

/** All files below the roots, without what others look at. */
export const listCommand = (roots: readonly string[], without: readonly string[], { listingBytesMax }: LeakLimits): string => sub([
  `find ${quoted(roots)} \\( ${[...without, ...dull].map(path => `-path ${shellQuote(globQuote(path))}`).join(' -o ')} \\) -prune -o -type f -print0 2>/dev/null | head -c ${listingBytesMax + 1}`
])

// ---- content --------------------------------------------------------------------------------------------------------

/** Files that hold a fragment, one a line: of the tree without its repository, and of the other roots. Links are not followed. Fragments come on standard input, one a line. */
export const contentCommand = (roots: readonly string[], { tree }: SandboxFolders, { namesBytesMax }: LeakLimits): string => sub([
  `cd -- ${shellQuote(tree)} || exit ${noTree}`,
  'shopt -s dotglob nullglob; here=()',
  'for name in *; do [ "$name" = .git ] || [ -L "$name" ] || here+=("$PWD/$name"); done',
  `grep -rlF -f - -- "\${here[@]}" ${quoted(roots)} 2>/dev/null | head -c ${namesBytesMax + 1}`
])

/** The same of files whose names come on standard input, behind so many bytes of fragments. */
export const chosenCommand = (fragmentBytes: number, { namesBytesMax }: LeakLimits): string => sub([
  `sought=$(head -c ${fragmentBytes})`,
  `xargs -0 -r grep -lF -e "$sought" -- /dev/null 2>/dev/null | head -c ${namesBytesMax + 1}`
])

/** Numbers of those that can be read, their sizes and times, and their bytes one after the other. Names come on standard input. */
export const readCommand = ({ tree }: SandboxFolders, bytesMax: number): string => sub([
  `cd -- ${shellQuote(tree)} || exit ${noTree}`,
  'at=0; kept=()',
  'while IFS= read -r -d "" name; do [ -f "$name" ] && [ -r "$name" ] && { kept+=("$name"); printf "%s " "$at"; }; at=$((at+1)); done',
  "printf '\\n'; [ ${#kept[@]} = 0 ] && exit 0",
  'stat -L -c "%s %Y" -- "${kept[@]}" && cat -- "${kept[@]}" | head -c ' + bytesMax
])

// ---- what is packed -------------------------------------------------------------------------------------------------

/** Which of the stores hold one of the objects: the stores' names, NUL behind each. On standard input: so many bytes of ids, one a line, and the stores' names. */
export const storesCommand = ({ scratch }: SandboxFolders, idBytes: number): string => {
  const work = shellQuote(`${scratch}/.leaks`)
  return sub([
    `wanted=$(head -c ${idBytes})`,
    'while IFS= read -r -d "" store; do',
    `  rm -rf ${work}; mkdir ${work} || exit ${noTree}`,
    '  case "$store" in',
    `    *.bundle) ${bareGit} init -q --bare --template= ${work}/git && ${bareGit} -C ${work}/git bundle unbundle "$store" > /dev/null 2>&1; ${bareGit} -C ${work}/git cat-file --batch-all-objects --batch-check='%(objectname)' ;;`,
    `    *) index="\${store%.pack}.idx"; [ -r "$index" ] || { index=${work}/idx; ${bareGit} index-pack -o "$index" "$store" > /dev/null 2>&1; }; ${bareGit} show-index < "$index" 2> /dev/null ;;`,
    "  esac | grep -qF -e \"$wanted\" && printf '%s\\0' \"$store\"",
    'done',
    `rm -rf ${work}`
  ])
}

/** Lists the members of archives, or reads some of them, bounded in bytes and in time of the processor. What it cannot make out is no archive. */
const archiveReader = `
import os, signal, sys, tarfile, time, zipfile
mode, member_max, archive_max, each, seconds, total = sys.argv[1], *map(int, sys.argv[2:])
out = sys.stdout.buffer
class Late(BaseException): pass
class Full(BaseException): pass
def late(*_): raise Late()
def encoded(text): return text.encode("utf-8", "surrogateescape")
def tell(archive, mark, what):
    global total
    total -= len(archive) + len(what) + 3
    if total < 0: raise Full()
    out.write(archive + mark + what + b"\\0")
def give(archive, member, size, file):
    global total
    if size > member_max: return tell(archive, b"\\2", encoded(member) + b" is too large")
    total -= size
    data = file.read(size)
    tell(archive, b"\\1/", encoded(member))
    out.write(str(len(data)).encode() + b"\\n" + data)
def members(held):
    if isinstance(held, zipfile.ZipFile):
        for info in held.infolist():
            if not info.is_dir(): yield info.filename, info.file_size, lambda: held.open(info)
    else:
        for info in held:
            if info.isfile(): yield info.name, info.size, lambda: held.extractfile(info)
def read(archive, wanted):
    path = os.fsdecode(archive)
    if os.path.getsize(path) > archive_max: return tell(archive, b"\\2", b"it is too large")
    with zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path, "r:*") as held:
        for name, size, open_member in members(held):
            if mode == "list": tell(archive, b"\\1/", encoded(name))
            elif encoded(name) in wanted:
                with open_member() as file: give(archive, name, size, file)
signal.signal(signal.SIGPROF, late)
archives = {}
for entry in sys.stdin.buffer.read().split(b"\\0"):
    archive, _, member = entry.partition(b"\\1/")
    if archive: archives.setdefault(archive, set()).add(member)
try:
    for archive, wanted in archives.items():
        try:
            signal.setitimer(signal.ITIMER_PROF, min(each, max(0.01, seconds - time.process_time())))
            read(archive, wanted)
        except Exception: pass
        except Late: out.write(archive + b"\\2it takes too long to read\\0")
        finally: signal.setitimer(signal.ITIMER_PROF, 0)
except Full:
    out.write(archive + b"\\2it and what follows hold too much\\0")
`

/** Exit code where nothing here can read archives. */
export const noReader = 95

/** Archives come on standard input, or `archive`, 1, `/`, `member`. Out come the same with NUL behind, and behind that of a member that is read its size, a line feed and its bytes; `archive`, 2, and why it is not read. */
export const archivesCommand = (mode: 'list' | 'read', limits: LeakLimits): string => sub([
  `command -v python3 > /dev/null || exit ${noReader}`,
  `python3 -I -S -c ${shellQuote(archiveReader)} ${[mode, limits.memberBytesMax, limits.archiveBytesMax, limits.archiveSecondsMax, limits.archivesSecondsMax, mode === 'list' ? limits.listingBytesMax : limits.candidateBytesMax].join(' ')}`
])
