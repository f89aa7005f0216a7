/** box doctor: what works, what does not, and what to do about it; for one device the whole way to it. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError, ERRORS, type ErrorCode, EXIT_CODES } from '../../src/base/errors.ts'
import { askInfo } from '../../src/box/control.ts'
import { helloPeer, readDeviceRecords } from '../../src/box/device-record.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import type { GnunetNames } from '../../src/mesh/gnunet-names.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { command } from '../command.ts'
import { type Context, knownHubs } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import { addressesOf } from '../hubs.ts'
import { openResolver } from '../names.ts'
import { readSshKey } from '../ssh-key.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

/** A hub that has not answered by then is no help now. */
const HUB_WAIT_MS = 5_000
const LOOK_EVERY_MS = 50
/** The daemon's resolver answers from its cache, or asks the mesh as we did. */
const GNS_WAIT_MS = 5_000

interface Finding {
  readonly check: string
  /** What was found; or the error, with what can be done. */
  readonly detail: string
  readonly code?: ErrorCode
  readonly [more: string]: unknown
}

export const doctor = command<{ name: string | undefined; timeout: number }>({
  usage: 'doctor [name]',
  examples: [
    ['box doctor', 'looks at your keys, your hubs, your devices'],
    ['box doctor kitchen', 'goes the whole way to kitchen, and says where it ends'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', describe: 'the device that cannot be reached' })
      .option('timeout', TIMEOUT),
  run: async (context, { name, timeout }) => {
    const codes: ErrorCode[] = []
    const examine = async (check: string, look: () => Promise<Omit<Finding, 'check'>>) => {
      const progress = context.output.progress(check)
      const finding = await look()
        .catch(error => failed(context, error))
        .finally(progress.end)
      if (finding.code) codes.push(finding.code as ErrorCode)
      const { output } = context
      output.result(`${finding.code ? 'FAIL' : 'ok  '}  ${check}: ${finding.detail}`, {
        check,
        ok: !finding.code,
        ...finding,
      })
      return !finding.code
    }
    const isSomebody = await examine('identity', () => identity(context))
    await examine('devices', async () => devices(context))
    const isOwn = context.engine.mesh === 'embedded'
    const isRunning = isOwn || (await examine('engine', () => engine(context)))
    const isConnected = isRunning && (await examine('hubs', () => hubs(context)))
    if (name !== undefined && isSomebody && isConnected) {
      const device = context.fleet.device(name)
      await examine(`name ${name}`, () => nameOf(context, device))
      const { names } = await context.mesh()
      if (names) await examine(`gnunet-gns ${name}`, () => askDaemon(context, names, device))
      await examine(`way to ${name}`, () => wayTo(context, device, timeoutMs(timeout)))
    }
    // Last, for some are recognised only while something is tried.
    if (isRunning && !isOwn)
      for (const { kind, detail, cure } of (await context.mesh()).status().troubles ?? [])
        await examine(kind, async () => ({
          code: kind === 'service' ? 'GNUNET_SILENT' : 'PEER_UNREACHABLE',
          detail: `${detail} Try: ${cure}`,
          cure,
        }))
    return codes[0] ? EXIT_CODES[ERRORS[codes[0]][0]] : 0
  },
})

function failed({ signal }: Context, error: unknown): Omit<Finding, 'check'> {
  signal.throwIfAborted()
  const { code, message } = error as BoxError
  if (!(code in ERRORS)) throw error
  return { detail: message, code }
}

async function identity({ ego, state }: Context): Promise<Omit<Finding, 'check'>> {
  const { name, secret } = ego()
  await readSshKey(state)
  const id = zoneToText(secret.zone)
  return { detail: `${name}, ${id}; keys in ${state.directory}`, ego: name, id }
}

function devices({ fleet }: Context): Omit<Finding, 'check'> {
  const all = fleet.devices()
  const seen = all.filter(({ last }) => last).length
  return { detail: `${all.length}, of them ${seen} seen`, devices: all.length, seen }
}

/** Which GNUnet we are on, if on one. */
async function engine(context: Context): Promise<Omit<Finding, 'check'>> {
  const mesh = await context.mesh()
  const { engine, about, neighbours } = mesh.status()
  const up = neighbours.filter(({ state }) => state === 'up')
  const named = up.map(({ peer, address }) => `${encodeBase32(peer).slice(0, 4)} ${address}`.trim())
  return {
    detail: `${about ?? 'embedded, no daemon answers'}; peer ${encodeBase32(mesh.self).slice(0, 4)}, ${up.length} neighbours${named.length > 0 ? `: ${named.join(', ')}` : ''}`,
    engine,
    about: about ?? null,
    peer: encodeBase32(mesh.self),
    neighbours: up.map(({ peer, address }) => ({ peer: encodeBase32(peer), address })),
  }
}

/** Which hubs answer. One is enough; a daemon that has neighbours needs none. */
async function hubs(context: Context): Promise<Omit<Finding, 'check'>> {
  const { clock, state, fleet } = context
  const known = knownHubs(state, fleet)
  if (known.length === 0 && context.engine.mesh === 'embedded')
    return { code: 'NO_HUB', detail: 'None is known: pair a device, or see box hub --help.' }
  const mesh = await context.mesh()
  const isDaemon = mesh.status().engine === 'gnunet'
  const peers = known.map(hello => ({ hello, peer: helloPeer(hello) }))
  const deadline = clock.elapsed() + HUB_WAIT_MS
  const isCarried = () => isDaemon && mesh.status().neighbours.some(({ state }) => state === 'up')
  const isMissing = () => !isCarried() && peers.some(({ peer }) => !isUp(mesh, peer))
  while (isMissing() && clock.elapsed() < deadline)
    await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
  const found = peers.map(({ hello, peer }) => ({
    peer: encodeBase32(peer),
    addresses: addressesOf(hello),
    up: isUp(mesh, peer),
  }))
  const detail = found
    .map(({ peer, addresses, up }) => `${peer.slice(0, 4)} at ${addresses} ${up ? 'up' : 'silent'}`)
    .join(', ')
  const neighbours = mesh.status().neighbours.length
  if (isCarried() && !found.some(({ up }) => up))
    return {
      detail: `${detail || 'none is known'}; GNUnet has neighbours`,
      hubs: found,
      neighbours,
    }
  return found.some(({ up }) => up)
    ? { detail, hubs: found, neighbours }
    : { code: 'NO_HUB', detail: `None answers: ${detail}.`, hubs: found, neighbours }
}

const isUp = (mesh: Mesh, peer: Uint8Array): boolean =>
  mesh.status().neighbours.some(near => near.state === 'up' && equalBytes(near.peer, peer))

/** What GNS says, asked of the mesh and not of what was known. */
async function nameOf(context: Context, device: Device): Promise<Omit<Finding, 'check'>> {
  const ego = context.ego()
  const { clock, fleet, signal } = context
  const resolver = openResolver(await context.mesh(), clock, ego, fleet.devices())
  try {
    const name = `${device.name}.${ego.name}`
    const { records, ms } = await resolver.resolve(name, 'any', { signal, fresh: true })
    const { pid, hubs } = readDeviceRecords(records)
    const minutes = Math.round(
      (Math.min(...records.map(({ expiresAt }) => expiresAt)) - clock.now()) / 60_000,
    )
    return {
      detail: `at peer ${encodeBase32(pid).slice(0, 4)}, ${counted(hubs.length, 'hub')}, good for ${minutes} min`,
      peer: encodeBase32(pid),
      hubs: hubs.map(({ hello }) => hello),
      resolve_ms: Math.round(ms),
      expires_in_s: minutes * 60,
    }
  } finally {
    resolver.close()
  }
}

/** Whether the daemon's own resolver finds the device as well: then everybody's would. */
async function askDaemon(
  context: Context,
  names: GnunetNames,
  device: Device,
): Promise<Omit<Finding, 'check'>> {
  const { clock, signal } = context
  const late = new AbortController()
  const timer = clock.after(GNS_WAIT_MS, () => late.abort(new BoxError('PEER_TIMEOUT')))
  const question = { zone: context.ego().secret.zone, name: device.name, type: RECORD_TYPE.TXT }
  try {
    const { count } = await names.ask(question, AbortSignal.any([signal, late.signal]))
    return count > 0
      ? { detail: `finds ${count} records`, records: count }
      : { code: 'NAME_UNKNOWN', detail: 'The resolver of the daemon finds no such name.' }
  } finally {
    timer.cancel()
  }
}

/** A channel, both proofs, and what the device says of itself. */
async function wayTo(
  context: Context,
  device: Device,
  timeoutMs: number,
): Promise<Omit<Finding, 'check'>> {
  const { clock, signal } = context
  const session = await reach(context, device, { service: 'control', timeoutMs })
  const info = await askInfo(session, { clock, signal })
  const path = session.path.map(peer => encodeBase32(peer))
  const days = ((clock.now() - info.startedAt) / 86_400_000).toFixed(1)
  return {
    detail:
      `${path.map(peer => peer.slice(0, 4)).join(' > ')} in ${Math.round(session.channelMs)} ms; ` +
      `${info.hostName}, version ${info.version}, up ${days} days, ${counted(info.owners, 'owner')}`,
    path,
    channel_ms: Math.round(session.channelMs),
    device: info,
  }
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
