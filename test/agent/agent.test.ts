import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { wipe } from '../../agent/wipe.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { askInfo, askLeave } from '../../src/box/control.ts'
import { readDeviceRecords } from '../../src/box/device-record.ts'
import { encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { formatName } from '../../src/gns/name.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { Home } from './home.ts'
import { ended, exec, KEYS, publicBlob, run, shell } from './ssh-fixture.ts'

let home: Home

beforeEach(async () => {
  home = new Home()
  await home.start()
})

afterEach(() => home.stop())

/** What the mesh says the device is. */
async function published(at: Home) {
  const resolver = new Resolver({
    mesh: at.controller,
    clock,
    zones: () => null,
    database: new ZoneDatabase(memoryStore()),
  })
  const name = formatName({ labels: [], zone: at.agent.device.zone })
  try {
    const { records } = await resolver.resolve(name, 'any', { timeoutMs: 3_000 })
    return readDeviceRecords(records)
  } finally {
    resolver.close()
  }
}

describe('an owner', () => {
  test('pairs, finds the device by its zone alone, and has a shell on it', async () => {
    const paired = await home.pair()
    expect(home.ends).toMatchObject([{ is: 'paired', checkWords: paired.checkWords }])
    const record = await published(home)
    expect(record).toEqual(paired.record)
    expect(record.pid).toEqual(home.deviceMesh.self)

    const client = await home.login()
    const channel = await shell(client, { cols: 80, rows: 24, term: 'xterm' })
    const all = ended(channel)
    channel.write('tty; echo $BOX_DEVICE; exit 7\n')
    const { out, code } = await all
    expect(out.toString()).toMatch(/\/dev\/pts\/\d+\r\nkitchen\r\n|kitchen/)
    expect(code).toBe(7)
    client.end()
  })

  test('may call the device otherwise later', async () => {
    await home.pair()
    const client = await home.login('cellar')
    expect((await run(client, 'echo $BOX_DEVICE')).out.toString()).toBe('cellar\n')
    client.end()
  })

  test('loses nothing of what a hundred commands print', async () => {
    await home.pair()
    const client = await home.login()
    for (let i = 0; i < 100; i++) {
      const size = 1 + i * 1_009
      const { out, err, code } = await run(
        client,
        `head -c ${size} /dev/zero; printf %${i + 1}s >&2; exit ${i}`,
      )
      expect([out.length, err.length, code]).toEqual([size, i + 1, i])
    }
    client.end()
  }, 60_000)

  test('loses nothing of what a terminal shows, through the mesh', async () => {
    await home.pair()
    const client = await home.login()
    const expected = Array.from({ length: 50_000 }, (_, i) => `${i + 1}\r\n`).join('')
    for (let i = 0; i < 5; i++) {
      const { out, code } = await run(client, `seq 1 50000; exit ${i}`, { pty: true })
      expect(out.toString() === expected).toBe(true)
      expect(code).toBe(i)
    }
    client.end()
  }, 60_000)

  test('is told what the device is', async () => {
    await home.pair()
    const info = await askInfo(await home.open('control'), { clock })
    expect(info).toMatchObject({ hostName: 'box', owners: 1 })
  })

  test('that leaves is a stranger from then on, and what it had open ends', async () => {
    await home.pair()
    const client = await home.login()
    const closed = ended(await exec(client, 'sleep 60'))
    await askLeave(await home.open('control'), { clock })
    await closed
    await expect(home.open('control')).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    expect(home.agent.status().owners).toEqual([])
  })

  test('is an owner still after a restart, of the same device with the same host key', async () => {
    await home.pair()
    const before = await published(home)
    const { zone } = home.agent.device
    await home.agent.close()
    await home.start()
    expect(home.agent.device.zone).toEqual(zone)
    const client = await home.login()
    expect((await run(client, 'exit 5')).code).toBe(5)
    client.end()
    const after = await published(home)
    expect(after.hostKey).toEqual(before.hostKey)
    expect(after.pid).not.toEqual(before.pid)
  })

  test('is told the whole host key whose fingerprint is published', async () => {
    await home.pair()
    const publicKey = publicBlob(KEYS.public)
    const { payload } = await home.open(
      'ssh',
      undefined,
      encodeSshAnnouncement({ publicKey, deviceName: '', user: null }),
    )
    expect(sha256(payload)).toEqual((await published(home)).hostKey)
  })

  test('has what was open closed when the agent stops', async () => {
    await home.pair()
    const client = await home.login()
    client.on('error', () => {})
    const closed = new Promise<void>(resolve => void client.once('close', () => resolve()))
    await home.agent.close()
    await closed
    await home.start() // For what comes after each test.
  })
})

describe('a stranger', () => {
  const stranger = ZoneSecret.generate('EDKEY', systemRandom)
  const announcement = encodeSshAnnouncement({
    publicKey: publicBlob(KEYS.public),
    deviceName: '',
    user: null,
  })

  test('gets no further than its proof of identity', async () => {
    const refused = { code: 'NOT_PERMITTED' }
    await expect(home.open('ssh', stranger, announcement)).rejects.toMatchObject(refused)
    await expect(home.open('control', stranger)).rejects.toMatchObject(refused)
    await home.pair()
    await expect(home.open('ssh', stranger, announcement)).rejects.toMatchObject(refused)
  })

  test('does not pair without a window', async () => {
    const code = home.openWindow()
    home.agent.endPairing()
    await expect(home.pair(code)).rejects.toMatchObject({ code: 'PAIRING_REFUSED' })
    expect(home.agent.status().owners).toEqual([])
  })

  test('sees none of the ports of SSH where it announces nothing', async () => {
    await home.pair()
    await expect(home.open('ssh')).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  })
})

describe('the agent', () => {
  test('says how it is doing', async () => {
    const code = home.openWindow()
    const before = home.agent.status()
    expect(before).toMatchObject({ running: true, name: 'box', owners: [], hubs: 0 })
    expect(before.pairing_until).not.toBeNull()
    await home.pair(code)
    await expect
      .poll(() => home.agent.status())
      .toMatchObject({ owners: [{ name: 'home', calls_it: 'kitchen' }], pairing_until: null })
    expect(home.agent.status().published_until).toBeNull()
    home.deviceMesh.introduce(home.controller.hello()) // Somebody to publish to.
    await expect.poll(() => home.agent.status().published_until).not.toBeNull()
  })

  test('publishes the hubs it has links to first, and gives them with its code', async () => {
    const [near, far] = [home.net.peer(), home.net.peer()]
    const hubs = [far.hello(), near.hello()]
    await home.agent.close()
    await home.start({ hubs })
    home.deviceMesh.introduce(near.hello())
    await expect.poll(() => home.agent.status().hubs).toBe(1)
    expect(home.openWindow().hubs).toEqual([near.hello(), far.hello()])
    await expect
      .poll(async () => (await published(home)).hubs.map(({ pid }) => pid), { timeout: 5_000 })
      .toEqual([near.self, far.self])
  })

  test('wiped is another device, of nobody', async () => {
    await home.pair()
    const { zone } = home.agent.device
    await home.agent.close()
    home.store.set('agent.json', new TextEncoder().encode('{}'))
    wipe(home.store, () => {})
    expect(home.store.names()).toEqual(['agent.json'])
    await home.start()
    expect(home.agent.device.zone).not.toEqual(zone)
    expect(home.agent.status().owners).toEqual([])
  })

  test.for(['device-key', 'ssh-host-key', 'grants'])(
    'does not start with a damaged %s, and changes nothing',
    async name => {
      await home.agent.close()
      const damaged = new TextEncoder().encode('damaged')
      home.store.set(name, damaged)
      await expect(home.start()).rejects.toMatchObject({
        code: name === 'grants' ? 'STATE_UNREADABLE' : 'KEY_UNREADABLE',
      })
      expect(home.store.get(name)).toEqual(damaged)
    },
  )
})

describe('killed at any write', () => {
  class Killed extends Error {}

  /** What a kill leaves: the writes before it, none after it. */
  function mortal(store: Store, writes: number): Store {
    let left = writes
    const spend = () => {
      if (left-- <= 0) throw new Killed()
    }
    return {
      ...store,
      set: (name, value) => {
        spend()
        store.set(name, value)
      },
      delete: name => {
        spend()
        store.delete(name)
      },
    }
  }

  test('it starts again, as the same device as soon as it was one', async () => {
    for (let writes = 0; writes < 12; writes++) {
      const disk = memoryStore()
      const first = new Home(mortal(disk, writes))
      await first.start().then(
        agent => agent.close(),
        (error: unknown) => void expect(error).toBeInstanceOf(Killed),
      )
      const key = disk.get('device-key')
      const second = new Home(disk)
      await second.start()
      if (key) expect(disk.get('device-key')).toEqual(key)
      await second.pair()
      await second.stop()
      first.controller.stop()
    }
  })

  test('of a reset, it is never a device with owners that do not know it', async () => {
    const disk = memoryStore()
    const before = new Home(disk)
    await before.start()
    await before.pair()
    await before.stop()
    const names = disk.names().length
    for (let writes = 0; writes <= names; writes++) {
      const copy = memoryStore()
      for (const name of disk.names()) copy.set(name, disk.get(name)!)
      try {
        wipe(mortal(copy, writes), () => {})
      } catch (error) {
        expect(error).toBeInstanceOf(Killed)
      }
      if (copy.get('grants')) expect(copy.get('device-key')).toEqual(disk.get('device-key'))
      const after = new Home(copy)
      await after.start()
      await after.stop()
    }
  })
})
