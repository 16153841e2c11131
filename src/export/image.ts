// A Docker build that makes the tree a solver gets: the buggy, weakened tree in one commit without history. It starts from
// the arena's image, or, where the arena lives in a folder, from an image of its language with tree and environment copied
// in. The patches are applied by git during the build, never on the host; the scripts below run in the image only.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { link, mkdir, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import { shellQuote } from '../quote.ts'
import { canonicalDiff } from '../rollout/collect.ts'
import { commit, purge } from '../verify/solver-tree.ts'
import { bareGit } from '../verify/tree.ts'

/** Where the tree stands in an image without one: SWE-bench's harness works there. */
export const testbed = '/testbed'
/** Holds the one commit again, where no solver can write, so that the diff of an attempt is taken against the truth. */
export const baseRepository = '/spar/base.git'
export const collectScript = '/spar/collect.sh'
export const attemptPath = '/logs/artifacts/attempt.diff'
/** Neither the solver nor tests run as root. */
export const user = 'spar'

export const treeIn = (arena: Arena): string => arena.imagePath ?? testbed

export interface BaseImage {
  /** What `FROM` names. */
  name: string
  /** Archives that lie beside the Dockerfile and are unpacked at the root; none where the image holds the arena. */
  archives: string[]
}

/** Chooses the image, and packs the arena into `folder` where it lives on this machine. Throws EXPORT_NO_ARENA. */
export async function prepareBase (arena: Arena, folder: string, options: { image: string | null; node: string }): Promise<BaseImage> {
  if (arena.image !== null) return { name: options.image ?? arena.image, archives: [] }
  if (!existsSync(join(arena.dir, 'tree'))) {
    throw new SparError('EXPORT_NO_ARENA', `Cannot export images of ${arena.target}: its arena is not on this machine (${arena.dir}). Open it again with: spar arena add`)
  }
  await mkdir(folder, { recursive: true })
  const tree = join(folder, 'tree.tar')
  const environment = join(folder, 'environment.tar')
  await pack(tree, join(arena.dir, 'tree'), '.', testbed)
  const mounts = ownMounts(arena).filter(existsSync)
  for (const [index, mount] of mounts.entries()) await pack(environment, mount, '.', mount, index > 0)
  return { name: options.image ?? languageImage(arena, options.node), archives: [tree, ...(mounts.length > 0 ? [environment] : [])] }
}

/** What Spar installed for the arena. Toolchains of this machine come with the language's image instead. */
const ownMounts = (arena: Arena): string[] => arena.mounts.filter(mount => mount.startsWith(arena.dir + sep))

const execute = promisify(execFile)

/** The same bytes for the same files: sorted, without owner and time. */
async function pack (archive: string, folder: string, what: string, as: string, append = false): Promise<void> {
  const root = as.replace(/^\//, '')
  try {
    await execute('tar', [append ? '--append' : '--create', '--file', archive, '--directory', folder, '--exclude=./.git', '--exclude=__pycache__', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner',
      '--transform', `s|^\\.|${root.replace(/[\\|&]/g, '\\$&')}|S`, what], { maxBuffer: 2 ** 20 })
  } catch (error) {
    throw new SparError('EXPORT_NO_ARCHIVE', `Cannot pack ${folder}: ${(error as Error).message.trim()}. It takes GNU tar and room on the disk`, { cause: error })
  }
}

function languageImage (arena: Arena, node: string): string {
  if (arena.ecosystem === 'node') return `node:${node.replace(/^v/, '')}-bookworm`
  if (arena.ecosystem === 'go') return `golang:${goVersion(arena) ?? 'bookworm'}`
  const minor = ownMounts(arena).map(pythonMinor).find(found => found !== null) ?? '3'
  return `python:${minor}-bookworm`
}

/** A virtual environment holds its packages in `lib/python3.x`. */
function pythonMinor (mount: string): string | null {
  const folder = join(mount, 'lib')
  const found = existsSync(folder) ? readdirSync(folder).map(name => /^python(3\.\d+)$/.exec(name)?.[1]).find(minor => minor !== undefined) : undefined
  return found ?? null
}

function goVersion (arena: Arena): string | null {
  for (const mount of arena.mounts) {
    const file = join(mount, 'VERSION')
    const version = existsSync(file) ? /^go(\d+\.\d+(?:\.\d+)?)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined
    if (version !== undefined) return `${version}-bookworm`
  }
  return null
}

/** Writes the build context of one bug into `folder`. Archives are shared between contexts where the disk can link. */
export async function writeContext (folder: string, arena: Arena, base: BaseImage, setup: Uint8Array): Promise<void> {
  await mkdir(join(folder, 'setup'), { recursive: true })
  await writeFile(join(folder, 'Dockerfile'), dockerfile(arena, base))
  await writeFile(join(folder, 'setup', 'setup.sh'), setupScript(arena))
  await writeFile(join(folder, 'setup', 'setup.diff'), setup)
  for (const archive of base.archives) await link(archive, join(folder, archive.split(sep).at(-1)!))
}

function dockerfile (arena: Arena, base: BaseImage): string {
  const tree = treeIn(arena)
  const environment = Object.entries(arena.env).map(([name, value]) => `ENV ${name}=${JSON.stringify(value.replaceAll('{tree}', tree)).replaceAll('$', '\\$')}\n`).join('')
  const folders = arena.image === null ? arena.path.filter(folder => ownMounts(arena).some(mount => folder === mount || folder.startsWith(mount + sep))) : arena.path
  const path = folders.length > 0 ? `ENV PATH=${JSON.stringify(folders.map(folder => folder.replaceAll('{tree}', tree)).join(':')).slice(0, -1)}:$PATH"\n` : ''
  const archives = base.archives.map(archive => `ADD ${archive.split(sep).at(-1)} /\n`).join('')
  return `# The tree of ${arena.name} at ${arena.commit} with a bug in it, as one commit without history.
FROM ${base.name}
USER root
${archives}${environment}${path}COPY setup /spar-setup
RUN bash /spar-setup/setup.sh && rm -rf /spar-setup
WORKDIR ${JSON.stringify(tree)}
`
}

/** Runs once, as root, while the image is built. */
function setupScript (arena: Arena): string {
  const tree = shellQuote(treeIn(arena))
  const ours = arena.image === null ? ownMounts(arena) : []
  return `#!/usr/bin/env bash
# Makes the tree that a solver gets: applies the patch, removes what could tell how it was before, and commits once.
set -euo pipefail
command -v git > /dev/null || { echo 'this image has no git' >&2; exit 1; }
id ${user} > /dev/null 2>&1 || useradd --create-home --uid 10001 ${user} 2> /dev/null || adduser -D -u 10001 ${user}
mkdir -p /spar /logs/artifacts /logs/verifier && chmod 777 /logs/artifacts
git config --system --add safe.directory '*'

# A virtual environment that was made elsewhere finds its interpreter again.
python=$(command -v python3 || true)
for environment in ${ours.map(shellQuote).join(' ')}; do
  [ -f "$environment/pyvenv.cfg" ] && [ -n "$python" ] || continue
  for link in "$environment"/bin/python*; do [ -x "$link" ] || ln -sf "$python" "$link"; done
  sed -i "s|^home = .*|home = $(dirname "$python")|" "$environment/pyvenv.cfg"
done

cd ${tree}
find . -name .git -prune -exec rm -rf {} +
GIT_DIR=/dev/null ${bareGit} apply --whitespace=nowarn /spar-setup/setup.diff
${purge}
# The patched files would be the newest ones.
find . -exec touch -h -d 2000-01-01T00:00:00Z {} +
( ${commit} ) > /dev/null
cp -a .git ${baseRepository}
${bareGit} --git-dir=${baseRepository} config core.worktree ${tree}
${tree === shellQuote(testbed) ? '' : `[ -e ${testbed} ] || ln -s ${tree} ${testbed}\n`}
# The tree is the solver's, what it is measured against is not. Toolchains often live in a home folder.
chown -R ${user} .
for folder in ${[tree, ...ours.map(shellQuote)].join(' ')}; do
  while [ "$folder" != / ]; do chmod a+x "$folder"; folder=$(dirname "$folder"); done
done
[ ! -d /root ] || chmod a+x /root

cat > ${collectScript} <<'EOF'
#!/usr/bin/env bash
# Takes an attempt out of the tree: its diff against the one commit, whatever was done to .git.
mkdir -p /logs/artifacts && rm -rf ${attemptPath}
cd ${tree} && export GIT_DIR=${baseRepository} GIT_WORK_TREE=${tree} GIT_INDEX_FILE=/spar/collect.index &&
  ${bareGit} -c safe.directory='*' read-tree HEAD && ${bareGit} -c safe.directory='*' add -A &&
  ${bareGit} -c safe.directory='*' diff --cached ${canonicalDiff} HEAD > ${attemptPath} || : > ${attemptPath}
EOF
chmod 755 ${collectScript}
`
}
