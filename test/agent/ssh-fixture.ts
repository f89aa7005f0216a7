/** An SSH server of the agent and a client of ssh2, joined by a stream: what tests of sessions begin with. */

import { Duplex } from 'node:stream'
import ssh2, { type Client, type ClientChannel, type ConnectConfig } from 'ssh2'
import { expect } from 'vitest'
import { ownAccount } from '../../agent/environment.ts'
import { openHostKey } from '../../agent/host-key.ts'
import type { Recorder } from '../../agent/recorder.ts'
import { type Caller, SshServer } from '../../agent/ssh-server.ts'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { generateSshKey } from '../../src/box/ssh-key.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { seededRandom } from '../sim/random.ts'

/** Made by us: one in some two hundred that ssh2 makes cannot be read by itself. */
export const newKeys = (seed: number): { private: string; public: string } => {
  const { secret, publicKey } = generateSshKey(seededRandom(seed), 'test')
  return { private: secret, public: `ssh-ed25519 ${Buffer.from(publicKey).toString('base64')}` }
}
export const KEYS = newKeys(5)

export const publicBlob = (text: string): Uint8Array => {
  const key = ssh2.utils.parseKey(text)
  if (key instanceof Error) throw key
  return key.getPublicSSH()
}

/** Two ends of a stream; what is written to one is read from the other, with back-pressure. */
export function streamPair(): [Duplex, Duplex] {
  const ends: Duplex[] = []
  const waiting: (() => void)[] = [() => {}, () => {}]
  for (const side of [0, 1])
    ends.push(
      new Duplex({
        read: () => {
          const go = waiting[1 - side]!
          waiting[1 - side] = () => {}
          go()
        },
        write: (chunk, _encoding, done) => {
          setImmediate(() => {
            if (ends[1 - side]!.push(chunk)) done()
            else waiting[side] = done
          })
        },
        final: done => {
          setImmediate(() => ends[1 - side]!.push(null))
          done()
        },
        destroy: (error, done) => {
          setImmediate(() => ends[1 - side]!.destroy())
          done(error)
        },
      }),
    )
  return [ends[0]!, ends[1]!]
}

export const hostKey = openHostKey(memoryStore(), seededRandom(2))

/** There is nobody who could approve anything. */
export const NOBODY = {
  ask: () => {
    throw new BoxError('APPROVAL_DENIED')
  },
}

export const newServer = (clock = systemClock, recorder: Recorder | null = null): SshServer =>
  new SshServer({
    hostKey: hostKey.secret,
    account: { ...ownAccount('/bin/bash'), home: '/tmp' },
    clock,
    log: silentLog,
    keepShellsMs: 60_000,
    custody: null,
    recorder,
    approvals: NOBODY,
  })

export const CALLER: Caller = {
  zone: ZoneSecret.generate('EDKEY', seededRandom(1)).zone,
  publicKey: publicBlob(KEYS.public),
  deviceName: 'kitchen',
  user: null,
  allows: () => true,
  scope: () => WHOLE_SCOPE,
  name: 'home',
  isKnown: () => true,
  isRecorded: () => false,
  note: () => {},
}

/** A logged-in client, or the error that ended the attempt. */
export function login(
  server: SshServer,
  caller: Partial<Caller> = {},
  config: Partial<ConnectConfig> = {},
): Promise<Client> {
  const [near, far] = streamPair()
  void server.serve(far, { ...CALLER, ...caller })
  return connectOver(near, config)
}

export function connectOver(near: Duplex, config: Partial<ConnectConfig> = {}): Promise<Client> {
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client))
    client.on('error', reject)
    client.once('close', () => reject(new Error('closed')))
    client.connect({
      sock: near,
      username: 'x',
      privateKey: KEYS.private,
      ...config,
    } as ConnectConfig)
  })
}

export interface Ended {
  readonly out: Buffer
  readonly err: Buffer
  readonly code: number | null
  readonly signal: string | null
}

/** How what runs on a channel has ended: that may come with its beginning, before whoever waits for that can listen. */
const exits = new WeakMap<ClientChannel, Pick<Ended, 'code' | 'signal'>>()

function opened(
  begin: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    begin((error, channel) => {
      channel?.on('exit', (code: number | null, signal?: string) =>
        exits.set(channel, { code, signal: signal ?? null }),
      )
      if (error) reject(error)
      else resolve(channel)
    }),
  )
}

/** All that comes over a channel until it is closed. */
export function ended(channel: ClientChannel): Promise<Ended> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  channel.on('data', (chunk: Buffer) => out.push(chunk))
  channel.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise(resolve => {
    channel.on('close', () => {
      const { code, signal } = exits.get(channel) ?? { code: null, signal: null }
      resolve({ out: Buffer.concat(out), err: Buffer.concat(err), code, signal })
    })
  })
}

export const exec = (
  client: Client,
  command: string,
  options: ssh2.ExecOptions = {},
): Promise<ClientChannel> => opened(done => client.exec(command, options, done))

export const shell = (
  client: Client,
  window: ssh2.PseudoTtyOptions | false,
  options: ssh2.ShellOptions = {},
): Promise<ClientChannel> =>
  opened(done => client.shell(window as ssh2.PseudoTtyOptions, options, done))

export const subsystem = (client: Client, name: string): Promise<ClientChannel> =>
  opened(done => client.subsys(name, done))

export const run = async (
  client: Client,
  command: string,
  options: ssh2.ExecOptions = {},
): Promise<Ended> => ended(await exec(client, command, options))

/** Resolves when no process has this id any more. */
export async function gone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1)
  await expect
    .poll(() => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    })
    .toBe(false)
}
