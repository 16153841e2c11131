// The contract, run by containers of the real engine.

import Docker from 'dockerode'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import type { Sandbox } from '../../src/ports.ts'
import { shellQuote } from '../../src/quote.ts'
import { assertBindable, hostBinds } from '../../src/sandbox/docker/binds.ts'
import { createEngine, type Engine } from '../../src/sandbox/docker/engine.ts'
import { imageLabels } from '../../src/sandbox/docker/images.ts'
import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, run, specOf } from '../helpers/sandbox-fixture.ts'
import { sandboxContract } from './contract.ts'
import { testFolder } from '../helpers/test-folder.ts'

const secret = join(homedir(), `.spar-test-secret-docker-${process.pid}`)
writeFileSync(secret, 'secret')
t.teardown(() => rmSync(secret, { force: true }))

/** The engine, or null after saying why there is none. */
async function engine (t: Test): Promise<Docker | null> {
  const found = await findTestEngine()
  if ('docker' in found) return found.docker
  if (process.env['CI'] !== undefined) t.fail(found.reason)
  else t.pass('no engine here', { skip: found.reason })
  return null
}

const murderWith = (docker: Docker) => async (sandbox: Sandbox): Promise<void> => { await docker.getContainer(sandbox.id).remove({ force: true }) }

t.test('docker, an arena in an image', async t => {
  const docker = await engine(t)
  if (docker === null) return
  const folder = testFolder(t)
  const { arena, remove } = await makeArenaImage(docker, makeArenaFolder(folder))
  const sandboxes = await createDockerSandboxes({ docker, home: folder })
  t.teardown(async () => {
    await sandboxes.close()
    await remove()
  })
  t.test('an image that is not there, or does not say where its tree is, is refused', async t => {
    await t.rejects(sandboxes.open(specOf({ ...arena, image: `sha256:${'0'.repeat(64)}` })), { code: 'SANDBOX_NO_IMAGE' })
    await t.rejects(sandboxes.open(specOf({ ...arena, imagePath: null })), { code: 'SANDBOX_NO_IMAGE' })
  })
  t.test('what an image declares a volume is an empty folder with a size, and holds no tree', async t => {
    const declare = async (volume: string): Promise<string> => {
      const container = await docker.createContainer({ Image: arena.image!, Cmd: ['true'], NetworkDisabled: true })
      const { Id: image } = await container.commit({ repo: 'spar-test-volume', tag: volume.replaceAll('/', '.').slice(1), changes: `VOLUME ${volume}` }) as { Id: string }
      await container.remove({ force: true })
      t.teardown(() => docker.getImage(image).remove({ force: true }))
      return image
    }
    const sandbox = await sandboxes.open(specOf({ ...arena, image: await declare('/srv') }))
    t.teardown(() => sandbox.destroy())
    t.match((await run(sandbox, 'ls -A /srv; echo x >/srv/x && stat -f -c %T /srv; cat a.txt')).text, /^tmpfs\nsecond\n$/)
    t.same((await docker.getContainer(sandbox.id).inspect()).Mounts.filter(({ Type }) => Type === 'volume'), [])
    const within = { ...arena, image: await declare('/testbed') }
    await t.rejects(sandboxes.open(specOf(within)), { code: 'SANDBOX_NO_IMAGE', message: /VOLUME/ })
    const empty = await sandboxes.open(specOf(within, 'empty'))
    t.teardown(() => empty.destroy())
    t.equal((await run(empty, 'ls -A . /testbed')).text, '.:\n\n/testbed:\n', 'without a tree it does not matter')
  })
  t.test('an engine that does not answer is an error that says so', async t => {
    await t.rejects(createDockerSandboxes({ docker: new Docker({ socketPath: join(folder, 'no.sock') }), home: folder }), { code: 'SANDBOX_NO_ENGINE' })
  })
  sandboxContract(t, { sandboxes, arena, walls: true, holdsMemory: true, ordinary: false, secret, arenaFile: null, murder: murderWith(docker) })
})

t.test('docker, an arena in a directory', async t => {
  const docker = await engine(t)
  if (docker === null) return
  const folder = mkdtempSync(join(tmpdir(), 'spar-docker-test-'))
  const home = join(folder, 'home')
  const arena = makeArenaFolder(folder)
  const sandboxes = await createDockerSandboxes({ docker, home })
  t.teardown(async () => {
    await sandboxes.close()
    rmSync(folder, { recursive: true, force: true })
    await sandboxes.reap()
  })
  sandboxContract(t, { sandboxes, arena, walls: true, holdsMemory: true, ordinary: true, secret, arenaFile: () => readFileSync(join(arena.dir, 'tree', 'a.txt'), 'utf8'), murder: murderWith(docker) })

  t.test('what it shows of the host cannot be written, and is no more than programs', async t => {
    const sandbox = await sandboxes.open(specOf(arena))
    t.teardown(() => sandbox.destroy())
    const { Mounts, HostConfig } = await docker.getContainer(sandbox.id).inspect()
    t.ok(Mounts.length > 0)
    for (const { Type, RW, Source, Destination } of Mounts) {
      t.match({ Type, RW }, { Type: 'bind', RW: false }, Destination)
      t.notMatch(Source, /^\/(proc|sys|run|var\/run|dev|etc)\b|^\/$|\.sock$/, Destination)
    }
    t.match(HostConfig, { Privileged: false, CapDrop: ['ALL'], NetworkMode: 'none', SecurityOpt: ['no-new-privileges'] })
    t.equal((await run(sandbox, `for f in ${Mounts.map(mount => shellQuote(mount.Destination)).join(' ')}; do touch "$f/spar-was-here" 2>/dev/null && echo "$f"; done`)).text, '')
  })

  t.test('its image is made once, for all of its sandboxes and also for another process', async t => {
    const own = mkdtempSync(join(tmpdir(), 'spar-docker-test-'))
    t.teardown(() => rmSync(own, { recursive: true, force: true }))
    const arena = makeArenaFolder(own)
    const [one, others] = [await createDockerSandboxes({ docker, home, prepared: 0 }), await createDockerSandboxes({ docker, home, prepared: 0 })]
    t.teardown(async () => { await Promise.all([one.close(), others.close()]) })
    const opened = [...await Promise.all([one.open(specOf(arena)), one.open(specOf(arena))]), await others.open(specOf(arena))]
    const images = await Promise.all(opened.map(async ({ id }) => (await docker.getContainer(id).inspect()).Image))
    t.same(images, Array(3).fill(images[0]), 'one layer below all of them')
    await Promise.all(opened.map(sandbox => sandbox.destroy()))
    const before = await imagesFrom(docker, own)
    t.same(before, [images[0]])
    for (const image of before) await docker.getImage(image).remove()
    await t.rejects(others.open(specOf(arena)), { code: 'SANDBOX_LOST', retryable: true }, 'but an image that somebody removed')
    await (await others.open(specOf(arena))).destroy()
    t.equal((await imagesFrom(docker, own)).length, 1, 'is made again')
  })

  t.test('images go with the folder that they were made of', async t => {
    const gone = mkdtempSync(join(tmpdir(), 'spar-docker-test-'))
    const others = await createDockerSandboxes({ docker, home: join(gone, 'home') })
    t.teardown(() => others.close())
    const sandbox = await others.open(specOf(makeArenaFolder(gone)))
    rmSync(gone, { recursive: true, force: true })
    await others.reap()
    t.equal((await imagesFrom(docker, gone)).length, 1, 'but for the one in use')
    t.equal((await run(sandbox, 'cat a.txt')).text, 'second\n')
    await sandbox.destroy()
    t.match((await others.reap()).removed, [/^image /])
    t.same(await imagesFrom(docker, gone), [])
    t.ok((await imagesFrom(docker, folder)).length > 0, 'those of other folders stay')
  })

  t.test('an engine that binds the folders of another host is refused, with the ways out', async t => {
    // As on another machine: what this host binds is not there.
    const far = createEngine(docker)
    const create: Engine['create'] = plan => far.create({ ...plan, binds: plan.binds.map(bind => bind.to === '/mnt/spar' ? { ...bind, from: arena.dir } : bind) })
    const others = await createDockerSandboxes({ docker: { ...far, create }, home })
    t.teardown(() => others.close())
    await t.rejects(others.open(specOf(arena)), { code: 'SANDBOX_ENGINE_ELSEWHERE', retryable: false, message: /docker:image#\/path.*--sandbox process/ })
    const missing: Engine['create'] = plan => far.create({ ...plan, binds: plan.binds.map(bind => bind.to === '/mnt/spar' ? { ...bind, from: '/srv/spar/not here' } : bind) })
    await t.rejects((await createDockerSandboxes({ docker: { ...far, create: missing }, home })).assertSeesHost(), { code: 'SANDBOX_ENGINE_ELSEWHERE' })
  })
})

t.test('docker, with a runtime by its name', async t => {
  const docker = await engine(t)
  if (docker === null) return
  const folder = mkdtempSync(join(tmpdir(), 'spar-docker-test-'))
  const home = join(folder, 'home')
  const arena = makeArenaFolder(folder)
  // Another name than that of the one it would take anyway, where it has one: most engines know runc by two.
  const { names, default: usual } = await createEngine(docker).runtimes()
  t.ok(names.includes(usual))
  const runtime = process.env['SPAR_TEST_RUNTIME'] ?? names.find(name => name !== usual && name.includes('runc.v2')) ?? usual
  await t.rejects(createDockerSandboxes({ docker, home, runtime: 'no-such-runtime' }), { code: 'SANDBOX_NO_RUNTIME', message: new RegExp(`"no-such-runtime".*the engine knows ${names.join(', ')}`), data: { runtimes: names } })
  await t.rejects(createSandboxes({ kind: 'process', home, runtime }), { code: 'SANDBOX_NO_RUNTIME' }, 'processes have none')
  // A container that has lost its private folder when it is started again, as with a runtime that keeps it in memory.
  const real = createEngine(docker)
  const create: Engine['create'] = plan => real.create({ ...plan, command: [...plan.command.slice(0, -1), `rm -rf ${plan.scratch}\n${plan.command.at(-1)}`] })
  const forgetful = await createDockerSandboxes({ docker: { ...real, create }, home, runtime, prepared: 0 })
  await t.rejects(forgetful.open(specOf(arena)), { code: 'SANDBOX_RUNTIME_FORGETS', retryable: false, message: /--overlay2=none/ })
  await forgetful.close()
  const sandboxes = await createSandboxes({ kind: 'auto', home, runtime, place: 'directory' })
  t.equal(sandboxes.kind, 'docker', 'whoever names one gets no less')
  t.teardown(async () => {
    await sandboxes.close()
    rmSync(folder, { recursive: true, force: true })
    await sandboxes.reap()
  })
  const sandbox = await sandboxes.open(specOf(arena))
  t.equal(sandbox.isolation, `docker:${runtime}`, 'records say which one')
  t.equal((await docker.getContainer(sandbox.id).inspect()).HostConfig.Runtime, runtime)
  await sandbox.destroy()
  sandboxContract(t, { sandboxes, arena, walls: true, holdsMemory: true, ordinary: true, secret, arenaFile: () => readFileSync(join(arena.dir, 'tree', 'a.txt'), 'utf8'), murder: murderWith(docker) })
})

t.test('homes, sockets and the state of the host are shown to no container', async t => {
  for (const folder of ['/', '/home', '/home/somebody', '/root', homedir(), '/proc', '/proc/self', '/sys', '/dev', '/run', '/run/docker.sock', '/var/run', '/var', '/etc', '/etc/ssl', 'relative', '/usr/../etc']) {
    t.throws(() => assertBindable(folder), { code: 'SANDBOX_BAD_MOUNT' }, folder)
  }
  for (const folder of ['/usr', '/opt/node', '/nix/store', join(homedir(), '.spar', 'arenas', 'x', 'env')]) t.doesNotThrow(() => assertBindable(folder), folder)
  const folder = testFolder(t, { file: '' })
  t.throws(() => hostBinds({ links: [], systemMounts: [] }, [join(folder, 'file')]), { code: 'SANDBOX_BAD_MOUNT' })
  t.throws(() => hostBinds({ links: [], systemMounts: [] }, [join(folder, 'nothing')]), { code: 'SANDBOX_BAD_MOUNT' })
})

async function imagesFrom (docker: Docker, folder: string): Promise<string[]> {
  const images = await docker.listImages({ filters: { label: [imageLabels.from] } })
  return images.filter(image => image.Labels[imageLabels.from]!.startsWith(folder)).map(image => image.Id).sort()
}
