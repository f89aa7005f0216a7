/**
 * Three GNUnet daemons in a line for the demonstration: that of the controller, a hub, that of the device. Those
 * that are running already are used as they are; otherwise three are started, on this machine alone, with
 * keys, sockets and logs in the folder of the demonstration, and ended with it.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import { SigningKey } from '../src/crypto/signing.ts'
import type { GnunetMesh } from '../src/mesh/gnunet.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { Context } from './context.ts'
import { attachDaemon } from './engine.ts'

/** ARM starts some twenty programs for each daemon: a slow machine takes its time. */
const START_MS = 40_000
const LOOK_EVERY_MS = 50
/** ARM ends its services within three seconds. */
const GRACE_MS = 5_000
const ROLES = ['controller', 'hub', 'device'] as const
type Role = (typeof ROLES)[number]
/** What none of this needs. */
const UNUSED = ['pt', 'fs', 'datastore', 'vpn', 'dns', 'exit', 'conversation', 'hostlist', 'rest']

/** The configuration files, and the hub in the middle. */
export interface Line {
  readonly confs: Readonly<Record<Role, string>>
  readonly hub: { readonly pid: string; readonly hello: string }
}

export class Daemons {
  private readonly context: Context
  private readonly running: ChildProcess[] = []
  private kept = false
  private readonly onExit = () => this.endNow()

  constructor(context: Context) {
    this.context = context
    process.on('exit', this.onExit)
  }

  /** Uses the daemons of these files, or starts three below `directory`. Fails as createGnunet, and with GNUNET_ABSENT. */
  async line(given: readonly string[], directory: string): Promise<Line> {
    if (given.length > 0 && given.length !== ROLES.length)
      throw new BoxError('INPUT_INVALID', 'Three daemons are wanted: controller, hub, device.')
    const files = given.length > 0 ? given : await this.startAll(directory)
    const [controller, hub, device] = files as [string, string, string]
    const meshes: GnunetMesh[] = []
    try {
      for (const file of files) meshes.push(await this.attached(file))
      const [near, middle, far] = meshes as [GnunetMesh, GnunetMesh, GnunetMesh]
      if (given.length === 0) await this.join(middle, [near, far])
      const { self } = middle
      return {
        confs: { controller, hub, device },
        hub: { pid: encodeBase32(self), hello: middle.hello() },
      }
    } finally {
      for (const mesh of meshes) await mesh.close()
    }
  }

  keepAll(): void {
    this.kept = true
    for (const child of this.running) child.unref()
  }

  /** The processes that people end themselves, where they are kept. */
  get pids(): readonly number[] {
    return this.running.flatMap(({ pid }) => pid ?? [])
  }

  async end(): Promise<void> {
    process.off('exit', this.onExit)
    if (this.kept) return
    const isOver = ({ exitCode, signalCode }: ChildProcess) =>
      exitCode !== null || signalCode !== null
    for (const child of this.running) child.kill()
    await this.until(() => this.running.every(isOver), GRACE_MS).catch(() => {})
    // Services that outlive their ARM, and an ARM that does not end.
    this.endNow()
  }

  private endNow(): void {
    if (this.kept) return
    for (const { pid } of this.running)
      try {
        if (pid) process.kill(-pid, 'SIGKILL')
      } catch {
        // None of the group is left.
      }
  }

  private async startAll(directory: string): Promise<readonly string[]> {
    const arm = findArm()
    const keys = ROLES.map(() => this.context.random.bytes(32))
    const pids = keys.map(seed => encodeBase32(SigningKey.fromSeed(seed).publicKey))
    const ports = await freePorts(ROLES.length)
    return ROLES.map((role, at) => {
      const home = join(directory, `gnunet-${role}`)
      for (const name of ['data', 'tmp', 'run'])
        mkdirSync(join(home, name), { recursive: true, mode: 0o700 })
      writeFileSync(join(home, 'data', 'private_key.ecc'), keys[at]!, { mode: 0o600 })
      // The ends of the line refuse each other: the hub is to have something to do.
      const refused = role === 'hub' ? [] : pids.filter((_, other) => other !== at && other !== 1)
      const file = join(home, 'gnunet.conf')
      writeFileSync(file, configuration({ home, port: ports[at]!, pid: pids[at]!, refused }))
      this.start(arm, home, file)
      return file
    })
  }

  private start(arm: string, home: string, file: string): void {
    const log = openSync(join(home, 'log'), 'a', 0o600)
    const child = spawn(arm, ['-c', file, '-l', join(home, 'log')], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, TMPDIR: join(home, 'tmp') },
    })
    closeSync(log)
    child.on('error', () => {})
    this.running.push(child)
  }

  /** Until the daemon answers; one that is just being started takes a while. */
  private async attached(file: string): Promise<GnunetMesh> {
    const { clock, random, log, signal } = this.context
    const deadline = clock.elapsed() + START_MS
    for (;;)
      try {
        return await attachDaemon(file, { clock, random, log })
      } catch (error) {
        signal.throwIfAborted()
        const isEarly = this.running.length > 0 && clock.elapsed() < deadline
        if (!isEarly || !(error instanceof BoxError)) throw error
        await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
      }
  }

  /** Makes the middle a neighbour of both ends. */
  private async join(middle: GnunetMesh, ends: readonly GnunetMesh[]): Promise<void> {
    await this.until(() => [middle, ...ends].every(mesh => mesh.hello().includes('+tcp')), START_MS)
    for (const end of ends) {
      end.introduce(middle.hello())
      middle.introduce(end.hello())
    }
    const isLinked = (mesh: GnunetMesh) =>
      mesh.status().neighbours.some(({ state }) => state === 'up')
    await this.until(() => ends.every(isLinked), START_MS)
  }

  private async until(holds: () => boolean, ms: number): Promise<void> {
    const { clock, signal } = this.context
    const deadline = clock.elapsed() + ms
    while (!holds()) {
      signal.throwIfAborted()
      if (clock.elapsed() >= deadline)
        throw new BoxError('GNUNET_SILENT', 'The daemons did not come up.')
      await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
    }
  }
}

/** The program that starts the others; it is not on the PATH. */
function findArm(): string {
  const libraries = ['/usr/lib', '/usr/local/lib'].flatMap(root => [
    root,
    ...(existsSync(root) ? readdirSync(root).map(name => join(root, name)) : []),
  ])
  for (const library of libraries) {
    const arm = join(library, 'gnunet', 'libexec', 'gnunet-service-arm')
    if (existsSync(arm)) return arm
  }
  throw new BoxError(
    'GNUNET_ABSENT',
    'GNUnet is not installed; running daemons can be named with --daemon.',
  )
}

async function freePorts(count: number): Promise<readonly number[]> {
  const nobody = { opened: () => {}, received: () => {}, drained: () => {}, closed: () => {} }
  const at = { host: '127.0.0.1', port: 0 }
  const listeners = await Promise.all(
    Array.from({ length: count }, () => tcpNetwork.listen(at, () => nobody)),
  )
  for (const listener of listeners) listener.close()
  return listeners.map(({ local }) => local.port)
}

interface Place {
  readonly home: string
  readonly port: number
  readonly pid: string
  readonly refused: readonly string[]
}

/** A peer that talks to this machine only, and looks for nobody by itself. */
const configuration = ({ home, port, pid, refused }: Place): string =>
  [
    '[PATHS]',
    `GNUNET_HOME = ${home}`,
    `GNUNET_DATA_HOME = ${home}/data/`,
    `GNUNET_CONFIG_HOME = ${home}/config/`,
    `GNUNET_CACHE_HOME = ${home}/cache/`,
    `GNUNET_RUNTIME_DIR = ${home}/run/`,
    `GNUNET_USER_RUNTIME_DIR = ${home}/run/`,
    `GNUNET_TMP = ${home}/tmp/`,
    '[arm]',
    'START_SYSTEM_SERVICES = YES',
    'START_USER_SERVICES = YES',
    `OPTIONS = -l ${home}/log -L WARNING`,
    '[transport]',
    'PLUGINS = tcp',
    '[transport-tcp]',
    `PORT = ${port}`,
    `ADVERTISED_PORT = ${port}`,
    'BINDTO = 127.0.0.1',
    '[nat]',
    'ENABLE_UPNP = NO',
    'USE_STUN = NO',
    'STUN_SERVERS =',
    'BEHIND_NAT = NO',
    'DISABLEV6 = YES',
    '[peerinfo]',
    'USE_INCLUDED_HELLOS = NO',
    '[topology]',
    'FRIENDS-ONLY = NO',
    'MINIMUM-FRIENDS = 0',
    '[nse]',
    'WORKDELAY = 60 s',
    ...UNUSED.flatMap(name => [`[${name}]`, 'IMMEDIATE_START = NO', 'START_ON_DEMAND = NO']),
    `[transport-blacklist-${pid}]`,
    ...refused.map(other => `${other} =`),
    '',
  ].join('\n')
