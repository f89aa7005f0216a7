/** SSH on a device: the way there, the announcement of our key, the login, the host key checked. */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import { encodeSshAnnouncement } from '../src/box/ssh-announcement.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { asDuplex } from '../src/mesh/duplex.ts'
import type { Context } from './context.ts'
import { type DeviceSession, type ReachOptions, reach, toldHostKey } from './device-session.ts'
import type { Device } from './fleet.ts'
import { GREETING_MAX, tellGreeting } from './greeting.ts'
import { hasOpenJobs } from './jobs/job-names.ts'
import { login, prepareLogin, type SshSession } from './ssh-client.ts'
import { readSshKey, type SshKey } from './ssh-key.ts'

/** As whom sessions run is announced with our key: the name that SSH carries counts for nothing. */
const USER = 'box'
/** What was said in the turn before has left by then. */
const TURN_MS = 1

export interface DeviceShell {
  readonly session: DeviceSession
  readonly ssh: SshSession
  /** As which user of the device; null: as whoever its agent runs as. */
  readonly user: string | null
}

export interface ShellOptions extends Pick<ReachOptions, 'timeoutMs' | 'forget'> {
  readonly user?: string | null
  /** A shell that is to be kept is about to be opened. */
  readonly opensShell?: boolean
  /** What the device says to everybody who logs in, cut to a sentence or two; absent: told at once. */
  readonly greeted?: (text: string) => void
}

interface SshOptions extends Omit<ReachOptions, 'service' | 'payload'> {
  readonly user?: string | null
  /** Called when our key is about to be sent: then the device has something to do, and we have not. */
  readonly announced?: () => void
}

/** A channel on which the device's SSH server will take our key. Fails as `reach`. */
export function reachSsh(
  context: Context,
  device: Device,
  key: SshKey,
  { user = null, announced, ...options }: SshOptions = {},
): Promise<DeviceSession> {
  const { publicKey } = key
  // At once: a user that can be none is said before anything is sent.
  const announcement = encodeSshAnnouncement({ publicKey, deviceName: device.name, user })
  const payload = () => {
    announced?.()
    return announcement
  }
  return reach(context, device, { ...options, service: 'ssh', payload })
}

/** Logs in. Fails as `reach` and `login`. */
export async function openShell(
  context: Context,
  device: Device,
  options: ShellOptions,
): Promise<DeviceShell> {
  const { hostKey, ...shell } = await enter(context, device, options)
  if (!toldHostKey(shell.session.payload, shell.session.record))
    context.meanwhile(keepHostKey(context, shell.session, hostKey))
  if (hasOpenJobs(context.state, device)) context.meanwhile(passBy(context, device))
  return shell
}

/**
 * Has the whole host key of the device in known_hosts before OpenSSH looks there. Devices tell it with their
 * verdict; an older one that was never met is asked for it, on a channel of its own.
 */
export async function learnHostKey(context: Context, reached: DeviceSession): Promise<void> {
  const { device, record, payload, remembered } = reached
  const known = device.last?.hostKey
  if (known && equalBytes(sha256(known), record.hostKey)) return
  if (toldHostKey(payload, record)) return await remembered
  // It was just met there: no name need be looked up for the second channel.
  const met = { ...device, last: { record, hostKey: null, at: context.clock.now() } }
  const { hostKey, session, ssh } = await enter(context, met, {})
  ssh.destroy()
  await keepHostKey(context, session, hostKey)
}

/** Brings what waits for the device, and fetches what came of it. Loaded here: it is rarely needed. */
const passBy = async (context: Context, device: Device): Promise<void> =>
  (await import('./jobs/courier.ts')).settleInPassing(context, device)

type Entered = DeviceShell & { readonly hostKey: Uint8Array }

/** Logs in. What was known of the host key may be out of date: then GNS is asked, and has the last word. */
async function enter(context: Context, device: Device, options: ShellOptions): Promise<Entered> {
  try {
    return await enterOnce(context, device, options)
  } catch (error) {
    const isOld = error instanceof BoxError && error.code === 'HOST_KEY_WRONG' && device.last
    if (!isOld || options.forget) throw error
    return await enterOnce(context, device, { ...options, forget: true })
  }
}

async function enterOnce(
  context: Context,
  device: Device,
  options: ShellOptions,
): Promise<Entered> {
  dialHubs(context)
  const { greeted = text => tellGreeting(context, device, text), ...reaching } = options
  const key = await readSshKey(context.state)
  const announced = () => void context.clock.after(TURN_MS, prepareLogin)
  const session = await reachSsh(context, device, key, { ...reaching, announced })
  let hostKey = new Uint8Array(0)
  const ssh = await login({
    stream: asDuplex(session.channel, context.clock),
    user: USER,
    clock: context.clock,
    privateKey: key.privateKey,
    opensShell: options.opensShell ?? false,
    signal: context.signal,
    greeted: text => greeted(text.slice(0, GREETING_MAX)),
    accepts: seen => {
      hostKey = seen.slice()
      return equalBytes(sha256(hostKey), session.record.hostKey)
    },
  })
  return { session, ssh, hostKey, user: options.user ?? null }
}

/** Begins to dial while there is still something to read and to load; whoever uses the mesh hears why it fails. */
export function dialHubs(context: Context): void {
  context.mesh().catch(() => {})
}

/** For OpenSSH, which wants the whole key where GNS has its fingerprint. */
async function keepHostKey(
  { fleet, clock, log }: Context,
  { device, record }: DeviceSession,
  hostKey: Uint8Array,
): Promise<void> {
  if (device.last?.hostKey && equalBytes(device.last.hostKey, hostKey)) return
  try {
    await fleet.remember(device.zone, { record, hostKey, at: clock.now() })
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'host key not kept', { code: error.code })
  }
}
