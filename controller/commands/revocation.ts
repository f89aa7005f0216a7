/** box revocation: the means to end a zone in GNS, made before it is needed; and its use (RFC 9498 section 4). */

import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { askRevocation } from '../../src/box/control.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { PROOFS, readZoneRevocation, revocationTime, signIntent } from '../../src/gns/revocation.ts'
import { triesFor } from '../../src/gns/revocation-work.ts'
import { attempt, replaceFile } from '../../src/sys/file-store.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import {
  beginRevocation,
  type KeptRevocation,
  keepRevocation,
  keptRevocation,
} from '../revocation-book.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import {
  askWhetherRevoked,
  type Certificate,
  meantZone,
  publishCertificate,
  readyCertificate,
  workState,
  YEARS_MAX,
  zoneValue,
} from '../zone-revocation.ts'

const ACTIONS = ['make', 'check', 'publish'] as const
/** What takes longer is done with, at the latest, after so much of it was lost. */
const SAVE_EVERY_MS = 10_000

interface Arguments {
  readonly action: (typeof ACTIONS)[number]
  readonly what: string | undefined
  readonly years: number
  readonly file: string | undefined
  readonly yes: boolean
  readonly timeout: number
}

export const revocation = command<Arguments>({
  usage: 'revocation <action> [what]',
  examples: [
    [
      'box revocation make',
      'the certificate for your own identity, for the backup; goes on where it was',
    ],
    ['box revocation make kitchen', 'that of a device, which signs it: for when it is stolen'],
    ['box revocation check kitchen', 'whether it is revoked, and whether a certificate is ready'],
    ['box revocation publish kitchen --yes', 'nobody believes the names of this device any more'],
  ],
  options: yargs =>
    yargs
      .positional('action', { choices: ACTIONS, demandOption: true, describe: 'what to do' })
      .positional('what', {
        type: 'string',
        describe: 'a device, a zone key, or a file with a certificate; yourself where absent',
      })
      .option('years', {
        type: 'number',
        default: 1,
        describe: 'make: how long it shall hold; each year more doubles the work',
      })
      .option('file', {
        type: 'string',
        describe: 'make: put it here too, as gnunet-revocation has it',
      })
      .option('yes', {
        type: 'boolean',
        default: false,
        describe: 'publish: it is for good, and I mean it',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        'The network wants so much work that it takes days, so make it before you need it: what was done is kept when you\n' +
          'stop, and goes on with the next call, here or where the backup is. A certificate is good from its beginning for the\n' +
          'years it was made for. Whoever has it can revoke the zone, and nothing else.',
      ),
  run: async (context, args) => {
    switch (args.action) {
      case 'make':
        return await make(context, args)
      case 'check':
        return await check(context, args)
      case 'publish':
        return await publish(context, args)
    }
  },
})

async function make(context: Context, { what, years, file, timeout }: Arguments): Promise<number> {
  const { state, output, revocationBits: bits } = context
  if (!Number.isInteger(years) || years < 1 || years > YEARS_MAX)
    throw new BoxError('INPUT_INVALID', `--years is from 1 to ${YEARS_MAX}.`)
  const { name, zone } = meantZone(context, what)
  const known = keptRevocation(state, zone)
  const kept = { ...(known ?? (await begin(context, what, years, timeoutMs(timeout)))), years }
  await keepRevocation(state, kept)
  await toil(context, name, kept)
  const raw = kept.work.certificate(years)!
  if (file !== undefined) {
    const path = resolve(file)
    attempt('STATE_UNWRITABLE', path, () => replaceFile(path, `${path}.new`, raw))
  }
  output.result(`The certificate for ${name} is ready.`, {
    ...{ name, zone: zoneToText(zone), years, tries: kept.work.tried, bits, file: file ?? null },
  })
  output.remark('Make a new backup: it belongs there. Whoever has it can revoke this zone.')
  return 0
}

/** The signature is the device's to give, or ours. */
async function begin(
  context: Context,
  what: string | undefined,
  years: number,
  timeoutMs: number,
): Promise<KeptRevocation> {
  const { clock, random, signal, fleet } = context
  const own = context.ego().secret
  const isOwn = what === undefined || what === zoneToText(own.zone)
  if (isOwn) return beginRevocation(signIntent(own, revocationTime(clock.now())), years, random)
  const device = fleet.device(what)
  const session = await reach(context, device, { service: 'control', timeoutMs })
  const intent = await askRevocation(session, device.zone, { clock, signal })
  return beginRevocation(intent, years, random)
}

/** Until it is enough; kept now and then, and when the person stops it. */
async function toil(context: Context, name: string, kept: KeptRevocation): Promise<void> {
  const { state, clock, output, signal, revocationBits: bits } = context
  const { work, years } = kept
  const expected = triesFor(years, bits)
  const progress = output.progress(`working for ${name}`)
  const begun = { at: clock.elapsed(), tried: work.tried }
  let savedAt = clock.elapsed()
  try {
    while (!work.isEnough(years, bits) && !signal.aborted) {
      work.step()
      if (clock.elapsed() - savedAt < SAVE_EVERY_MS) {
        if (work.tried % 8 === 0) await new Promise<void>(done => void clock.after(0, done))
        continue
      }
      savedAt = clock.elapsed()
      await keepRevocation(state, kept)
      progress.now(
        `working for ${name}: ${howFar(work.tried - begun.tried, clock.elapsed() - begun.at, work.tried, expected)}`,
      )
    }
  } finally {
    progress.end()
    await keepRevocation(state, kept)
  }
  signal.throwIfAborted()
}

/** How long the rest takes is chance: about as long as it says. */
function howFar(tries: number, ms: number, tried: number, expected: number): string {
  const hours = (Math.max(0, expected - tried) * ms) / Math.max(1, tries) / 3_600_000
  const left = hours < 48 ? `${hours.toFixed(1)} hours` : `${Math.round(hours / 24)} days`
  return `${tried} of about ${expected} tries, some ${left} more`
}

async function check(context: Context, { what }: Arguments): Promise<number> {
  const meant = meantZone(context, what)
  const known = await askWhetherRevoked(context, meant.zone)
  const certificate = workState(context, meant.zone)
  const isReady = certificate?.ready ?? false
  const mine = certificate ? (isReady ? 'ready' : `${certificate.tries} tries done`) : 'none'
  const { revoked, revoked_until: until } = known
  const byDaemon = revoked ? 'revoked, says the daemon' : 'not known to be revoked'
  const words = until ? `revoked until ${until}` : byDaemon
  context.output.result(`${meant.name}: ${words}; certificate here: ${mine}.`, {
    ...{ ...zoneValue(meant), ...known },
    certificate: certificate && { ...certificate, of_bits: context.revocationBits * PROOFS },
  })
  return 0
}

async function publish(context: Context, { what, yes, timeout }: Arguments): Promise<number> {
  const certificate = certificateOf(context, what)
  const { name, zone } = zoneValue(certificate)
  if (!yes)
    throw new BoxError('INPUT_INVALID', `This ends ${name} (${zone}) for everybody: say --yes.`)
  const until = await publishCertificate(context, certificate, timeoutMs(timeout))
  context.output.result(`${name} is revoked until ${until}.`, { name, zone, until })
  return 0
}

function certificateOf(context: Context, what: string | undefined): Certificate {
  const path = what === undefined ? '' : resolve(what)
  const isFile = what !== undefined && existsSync(path) && !isKnown(context, what)
  if (!isFile) return readyCertificate(context, meantZone(context, what))
  const raw = attempt('STATE_UNREADABLE', path, () => new Uint8Array(readFileSync(path)))
  return { name: what, zone: readZoneRevocation(raw).zone, raw, kept: null }
}

function isKnown({ fleet }: Context, what: string): boolean {
  return fleet.devices().some(({ name }) => name === what)
}
