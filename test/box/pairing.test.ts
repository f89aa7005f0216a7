import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import type { Fields, Log } from '../../src/base/log.ts'
import { type DeviceRecord, parseDeviceRecord } from '../../src/box/device-record.ts'
import { SealedMessage } from '../../src/box/messages.ts'
import { type PairedDevice, type PairOptions, pairWithDevice } from '../../src/box/pairing.ts'
import {
  formatPairingCode,
  type PairingCode,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import { type NewOwner, PairingDesk, type WindowEnd } from '../../src/box/pairing-window.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { outcome, Pair } from './pair-of-peers.ts'

const MINUTES = 10

/** A device that can be paired, and whatever it stored, logged and was told. */
class PairableDevice {
  readonly pair = new Pair()
  readonly desk: PairingDesk
  readonly owners: NewOwner[] = []
  readonly ends: WindowEnd[] = []
  readonly logged: { event: string; fields: Fields }[] = []
  readonly record: DeviceRecord
  storeFails: Error | null = null

  constructor() {
    const { pair } = this
    this.record = parseDeviceRecord(
      `box1 pid=${encodeBase32(pair.listener.self)} services=1 hostkey=${'ab'.repeat(32)}`,
    )
    const log: Log = {
      note: (_level, _area, event, fields = {}) => this.logged.push({ event, fields }),
    }
    this.desk = new PairingDesk({
      device: () => pair.device.zone,
      clock: pair.world,
      random: pair.world.random,
      log,
      record: () => this.record,
      store: owner => {
        if (this.storeFails) throw this.storeFails
        this.owners.push(owner)
      },
    })
    const { sessions } = pair.listen('pair')
    const serve = sessions.push.bind(sessions)
    sessions.push = session => {
      void session.then(
        opened => this.desk.serve(opened),
        () => {},
      )
      return serve(session)
    }
  }

  open(minutes = MINUTES): PairingCode {
    const code = this.desk.open(minutes, [], end => void this.ends.push(end))
    return parsePairingCode(formatPairingCode(code))
  }

  /** Runs the owner's side; what it stored lies in `stored`. */
  async owner(
    code: PairingCode,
    options: Partial<PairOptions> = {},
  ): Promise<{ stored: PairedDevice[]; result: string }> {
    const { pair } = this
    const stored: PairedDevice[] = []
    const channel = await pair.connect('pair')
    const paired = pairWithDevice(channel, {
      self: pair.opener.self,
      own: pair.owner,
      code,
      deviceName: 'kitchen',
      ownerName: 'home',
      clock: pair.world,
      random: pair.world.random,
      store: device => void stored.push(device),
      ...options,
    })
    return { stored, result: await pair.until(outcome(paired)) }
  }

  reasons(): unknown[] {
    return this.logged
      .filter(({ event }) => event === 'pairing refused')
      .map(({ fields }) => fields.reason)
  }
}

const wrong = (code: PairingCode): PairingCode => ({ ...code, secret: code.secret.map(b => b ^ 1) })

describe('pairing', () => {
  test('makes both sides store each other and show the same words', async () => {
    const device = new PairableDevice()
    const { stored, result } = await device.owner(device.open())
    expect(result).toBe('ok')
    expect(device.owners).toEqual([
      { zone: device.pair.owner.zone, holder: 'home', deviceName: 'kitchen' },
    ])
    expect(stored).toHaveLength(1)
    expect(stored[0]!.zone).toEqual(device.pair.device.zone)
    expect(stored[0]!.record).toEqual(device.record)
    expect(stored[0]!.checkWords).toHaveLength(4)
    expect(device.ends).toEqual([
      { is: 'paired', owner: device.owners[0], checkWords: stored[0]!.checkWords },
    ])
    expect(device.desk.openUntil()).toBeNull()
  })

  test('leaves no timer behind', async () => {
    const device = new PairableDevice()
    await device.owner(device.open())
    await device.pair.world.pass(60_000)
    expect(device.pair.world.pending).toBe(0)
  })

  test('shows other words each time', async () => {
    const device = new PairableDevice()
    const first = await device.owner(device.open())
    const second = await device.owner(device.open())
    expect(first.stored[0]!.checkWords).not.toEqual(second.stored[0]!.checkWords)
  })
})

describe('pairing is refused, and nothing is stored or learnt,', () => {
  async function refused(device: PairableDevice, code: PairingCode, reason: string) {
    const before = device.owners.length
    const { stored, result } = await device.owner(code)
    expect(result).toBe('PAIRING_REFUSED')
    expect(stored).toEqual([])
    expect(device.owners).toHaveLength(before)
    expect(device.reasons().at(-1)).toBe(reason)
  }

  test('where no window was opened', async () => {
    const device = new PairableDevice()
    const code = device.open()
    device.desk.close()
    await refused(device, code, 'no window is open')
    expect(device.ends).toEqual([{ is: 'closed' }])
  })

  test('with a wrong secret; the right one still works then', async () => {
    const device = new PairableDevice()
    const code = device.open()
    await refused(device, wrong(code), 'wrong secret')
    expect((await device.owner(code)).result).toBe('ok')
  })

  test('the second time, by the same owner and by another', async () => {
    const device = new PairableDevice()
    const code = device.open()
    expect((await device.owner(code)).result).toBe('ok')
    await refused(device, code, 'no window is open')
    const own = ZoneSecret.generate('EDKEY', device.pair.world.random)
    expect((await device.owner(code, { own })).result).toBe('PAIRING_REFUSED')
    expect(device.owners).toHaveLength(1)
  })

  test('after the window has expired', async () => {
    const device = new PairableDevice()
    const code = device.open()
    await device.pair.world.pass(MINUTES * 60_000 - 1_000)
    expect(device.desk.openUntil()).not.toBeNull()
    await device.pair.world.pass(1_000)
    await refused(device, code, 'no window is open')
    expect(device.ends).toEqual([{ is: 'expired' }])
  })

  test('with the code of a window that another one replaced', async () => {
    const device = new PairableDevice()
    const old = device.open()
    device.open()
    await refused(device, old, 'wrong secret')
    expect(device.ends).toEqual([{ is: 'replaced' }])
  })

  test('after too many wrong secrets, even with the right one', async () => {
    const device = new PairableDevice()
    const code = device.open()
    for (let i = 0; i < 5; i++) await refused(device, wrong(code), 'wrong secret')
    await refused(device, code, 'no window is open')
    expect(device.ends).toEqual([{ is: 'too many attempts' }])
  })

  test('to the second of two at once', async () => {
    const device = new PairableDevice()
    const code = device.open()
    const own = ZoneSecret.generate('EDKEY', device.pair.world.random)
    const results = await Promise.all([device.owner(code), device.owner(code, { own })])
    expect(results.map(({ result }) => result).sort()).toEqual(['PAIRING_REFUSED', 'ok'])
    expect(device.owners).toHaveLength(1)
    expect(device.reasons()).toEqual(['another pairing is under way'])
  })

  test('where the device cannot store its owner', async () => {
    const device = new PairableDevice()
    const code = device.open()
    device.storeFails = new BoxError('STATE_UNWRITABLE')
    const { stored, result } = await device.owner(code)
    expect(result).toBe('CHANNEL_CLOSED')
    expect(stored).toEqual([])
    device.storeFails = null
    expect((await device.owner(code)).result).toBe('ok')
  })

  test('where the request is noise by the time it arrives', async () => {
    const device = new PairableDevice()
    const code = device.open()
    device.pair.net.tamper = message =>
      message[2] === 0xbd && message[3] === SealedMessage.type % 256
        ? Uint8Array.of(0, 5, 0xbd, 0x10, 1)
        : message
    expect((await device.owner(code)).result).toBe('CHANNEL_CLOSED')
    expect(device.owners).toEqual([])
  })

  test('with names that do not belong in a terminal', async () => {
    const device = new PairableDevice()
    const code = device.open()
    for (const deviceName of ['a\u001b[31m', 'a b', 'a\n'])
      expect((await device.owner(code, { deviceName })).result).toBe('CHANNEL_CLOSED')
    expect((await device.owner(code, { deviceName: 'x'.repeat(64) })).result).toBe('NAME_INVALID')
    expect(device.owners).toEqual([])
  })
})

describe('a pairing that was cut', () => {
  test.for([5, 6, 7])('at message %i works again with the same code', async nth => {
    const device = new PairableDevice()
    const code = device.open()
    let count = 0
    device.pair.net.tamper = message => (++count === nth ? null : message)
    const cut = await device.owner(code)
    expect(cut.result).not.toBe('ok')
    expect(cut.stored).toEqual([])
    device.pair.net.tamper = message => message
    await device.pair.world.pass(60_000)
    const again = await device.owner(code)
    expect(again.result).toBe('ok')
    expect(again.stored).toHaveLength(1)
  })

  test('before the owner knew is open to that owner alone', async () => {
    const device = new PairableDevice()
    const code = device.open()
    let count = 0
    device.pair.net.tamper = message => (++count === 8 ? null : message)
    const cut = await device.owner(code)
    expect(cut.result).toBe('PEER_TIMEOUT')
    expect(device.owners).toHaveLength(1)
    device.pair.net.tamper = message => message
    const own = ZoneSecret.generate('EDKEY', device.pair.world.random)
    expect((await device.owner(code, { own })).result).toBe('PAIRING_REFUSED')
    expect(device.reasons()).toEqual(['used already'])
    expect((await device.owner(code)).result).toBe('ok')
  })

  test('where the owner cannot store the device works again', async () => {
    const device = new PairableDevice()
    const code = device.open()
    const store = () => {
      throw new BoxError('STATE_UNWRITABLE')
    }
    expect((await device.owner(code, { store })).result).toBe('STATE_UNWRITABLE')
    expect((await device.owner(code)).result).toBe('ok')
  })
})
