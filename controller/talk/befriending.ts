/**
 * Two people who are both there take each other in: one shows a code, the other types it, and both see the same words.
 * It goes as the pairing of a device does (src/box/pairing.ts), but neither becomes anything to the other but a contact,
 * and nothing of it proves to others that they met. Whoever has no code cannot find out that one is shown.
 */

import { BoxError } from '../../src/base/errors.ts'
import { type PortId, portId } from '../../src/base/ids.ts'
import { memoryStore } from '../../src/base/store.ts'
import { type DeviceRecord, helloPeer } from '../../src/box/device-record.ts'
import { acceptHandshake } from '../../src/box/handshake.ts'
import { type PairedDevice, pairWithDevice } from '../../src/box/pairing.ts'
import type { PairingCode } from '../../src/box/pairing-code.ts'
import { PairingDesk, type WindowEnd } from '../../src/box/pairing-window.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import type { Channel, Mesh } from '../../src/mesh/mesh.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { type Context, introduce, knownHubs } from '../context.ts'
import { search } from '../device-search.ts'
import { openResolver } from '../names.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import { hereRecords } from './whereabouts.ts'

const LABEL = new TextEncoder().encode('secushare-box contact window 1')
const LABEL_SIZE = 16
const PORT_SIZE = 64
const NOTHING = new Uint8Array(0)
const HUBS_MAX = 4

export interface Befriended {
  readonly contact: Contact
  readonly checkWords: readonly string[]
}

export interface ShowOptions {
  readonly minutes: number
  /** What to call them; null: what they call themselves. */
  readonly as: string | null
  readonly show: (code: PairingCode) => void
}

/** Shows a code until it is used. Fails with PEER_TIMEOUT where its time is over, and the reason of the signal. */
export async function showCode(
  context: Context,
  book: ContactBook,
  { minutes, as, show }: ShowOptions,
): Promise<Befriended> {
  const { clock, random, log, signal } = context
  const own = context.ego().secret
  const mesh = await context.mesh()
  let added: Contact | null = null
  const desk = new PairingDesk({
    ...{ device: () => own.zone, clock, random, log },
    record: () => hereRecord(context, mesh),
    store: async ({ zone, holder }) => {
      const name = as ?? freeName(book, holder)
      const known = { is: 'paired' } as const
      added = await book.add({ name, zone, known, addedAt: clock.now(), knowsUs: own.zone })
    },
  })
  const hubs = knownHubs(context.state, context.fleet)
  let code!: PairingCode
  let abort!: () => void
  const ended = new Promise<WindowEnd>((resolve, reject) => {
    code = desk.open(minutes, hubs, resolve)
    abort = () => reject(signal.reason)
  })
  const listening = mesh.listen(windowPort(code), channel => serve(context, mesh, desk, channel))
  const publisher = publishWindow(context, mesh, code)
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    show(code)
    const end = await ended
    if (end.is === 'paired' && added) return { contact: added, checkWords: end.checkWords }
    const isGuessed = end.is === 'too many attempts'
    throw new BoxError(isGuessed ? 'PAIRING_REFUSED' : 'PEER_TIMEOUT', 'Nobody used the code.')
  } finally {
    signal.removeEventListener('abort', abort)
    listening.close()
    publisher.close()
    // Whoever has just been taken in still says that they have stored us.
    if (!added) desk.close()
  }
}

function serve(context: Context, mesh: Mesh, desk: PairingDesk, channel: Channel): void {
  const { clock, random, log } = context
  const own = context.ego().secret
  const options = { self: mesh.self, purpose: 'contact', own, clock, random } as const
  acceptHandshake(channel, { ...options, admit: () => ({ payload: NOTHING }) }).then(
    session => desk.serve(session),
    error => {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'talk', 'not served', { purpose: 'contact', reason: error.code })
    },
  )
}

/** Takes in whoever shows this code. Fails as search and pairWithDevice, and with NAME_TAKEN. */
export async function enterCode(
  context: Context,
  book: ContactBook,
  code: PairingCode,
  { as, timeoutMs }: { readonly as: string; readonly timeoutMs: number },
): Promise<Befriended> {
  const { clock, random, log } = context
  const { name: ownerName, secret: own } = context.ego()
  const mesh = await context.mesh()
  for (const hub of code.hubs) introduce(mesh, hub, log)
  let contact: Contact | null = null
  const store = async ({ zone, record }: PairedDevice) => {
    const known = { is: 'paired' } as const
    contact = await book.add({ name: as, zone, known, addedAt: clock.now(), knowsUs: own.zone })
    await book.remember(zone, { where: record })
  }
  const resolver = openResolver(mesh, clock, context.ego(), [])
  try {
    const { met } = await search(context, resolver, {
      called: 'Whoever shows the code',
      name: { labels: [windowLabel(code)], zone: code.device },
      zone: code.device,
      port: windowPort(code),
      known: null,
      timeoutMs,
      meet: (channel, signal) =>
        pairWithDevice(channel, {
          ...{ self: mesh.self, purpose: 'contact', own, code, clock, random, signal, store },
          ...{ deviceName: as, ownerName },
        }),
    })
    return { contact: contact!, checkWords: met.checkWords }
  } finally {
    resolver.close()
  }
}

/** Where we are, at a label that only those who have the code can make. */
function publishWindow(context: Context, mesh: Mesh, code: PairingCode): Publisher {
  const { clock, random, log } = context
  const own = context.ego().secret
  const database = new ZoneDatabase(memoryStore())
  const { pid, hubs } = hereRecord(context, mesh)
  database.replace(own.zone, windowLabel(code), hereRecords({ pid, hubs }))
  const publisher = new Publisher({ mesh, clock, random, log, database })
  publisher.publish(own)
  return publisher
}

/** As the label: nobody else can knock. */
const windowPort = ({ secret, device }: PairingCode): PortId =>
  portId(hkdf(PORT_SIZE, LABEL, secret, 'port ', device).slice())

const windowLabel = ({ secret, device }: PairingCode): string =>
  encodeBase32(hkdf(LABEL_SIZE, LABEL, secret, device)).toLowerCase()

function hereRecord({ state, fleet }: Context, mesh: Mesh): DeviceRecord {
  const hubs = knownHubs(state, fleet).map(hello => ({ pid: helloPeer(hello), hello }))
  return { pid: mesh.self, services: 1, hostKey: new Uint8Array(32), hubs: hubs.slice(0, HUBS_MAX) }
}

/** What they call themselves, or that with a number. */
function freeName(book: ContactBook, wanted: string): string {
  const names = new Set(book.contacts().map(({ name }) => name))
  for (let i = 1; ; i++) {
    const name = i === 1 ? wanted : `${wanted}-${i}`
    if (!names.has(name)) return name
  }
}
