/** Revoked zones between us and real daemons (0.19.3 and 0.20.0), in a network that wants little work. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret, type ZoneType } from '../../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import { revocationTime, signIntent } from '../../src/gns/revocation.ts'
import { RevocationWork } from '../../src/gns/revocation-work.ts'
import { Revocations } from '../../src/gns/revocations.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { attach } from './daemon-mesh.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

/** The daemon our peers dial, and the one two hops away. */
const [HUB, FAR] = [1, 2]
/** In place of 22: some hundred tries. gnunet-revocation does one bit more than it needs. */
const WORKBITS = 2
const LITTLE_WORK = `[revocation]\nWORKBITS = ${WORKBITS}\n`
const ARRIVED = { timeout: 60_000, interval: 500 }

let lab: Lab
const meshes: EmbeddedMesh[] = []
const opened: Revocations[] = []

/** A peer of ours behind the hub, and what it knows of revoked zones. */
async function peer(): Promise<{ mesh: EmbeddedMesh; revocations: Revocations }> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog]
  const hubs = [(await lab.hello(HUB)).trim()]
  const parts = { clock, random, log, network: tcpNetwork, store: memoryStore(), hubs }
  const mesh = await createEmbedded(parts)
  meshes.push(mesh)
  await new Promise<void>(resolve => mesh.watch({ up: () => resolve(), down: () => {} }))
  const shelf = { read: () => null, write: () => {} }
  const revocations = new Revocations({ mesh, clock, log, shelf, difficulty: WORKBITS })
  opened.push(revocations)
  return { mesh, revocations }
}

function certificate(secret: ZoneSecret): Uint8Array {
  const work = RevocationWork.begin(signIntent(secret, revocationTime(Date.now())), systemRandom)
  while (!work.isEnough(1, WORKBITS)) work.step()
  return work.certificate(1)!
}

withEachRelease('revoked zones', release => {
  beforeAll(async () => {
    lab = new Lab(release, { configuration: { [HUB]: LITTLE_WORK, [FAR]: LITTLE_WORK } })
    await lab.up(2, 'line')
    await lab.linked(HUB, 1)
  }, 180_000)
  afterAll(async () => {
    for (const one of opened.splice(0)) one.close()
    for (const mesh of meshes.splice(0)) await mesh.close()
    await lab.down()
    await cleanUp()
  }, 60_000)

  test.for(['EDKEY', 'PKEY'] as const)(
    'what we revoke (%s), daemons know, also two hops away',
    { timeout: 240_000 },
    async (type: ZoneType) => {
      const { revocations } = await peer()
      const secret = ZoneSecret.generate(type, systemRandom)
      const key = zoneToText(secret.zone)
      const told = (daemon: number) => lab.tool(daemon, 'gnunet-revocation', '-t', key)
      expect(await told(HUB)).toContain('is valid')
      expect(await revocations.publish(certificate(secret))).toBe(true)
      for (const daemon of [HUB, FAR])
        await expect.poll(() => told(daemon), ARRIVED).toContain('has been revoked')
    },
  )

  test('by way of the daemon of the machine, both ways', { timeout: 240_000 }, async () => {
    const mesh = await attach(lab, FAR)
    const [clock, log] = [systemClock, silentLog]
    const shelf = { read: () => null, write: () => {} }
    const known = () => new Revocations({ mesh, clock, log, shelf, difficulty: WORKBITS })
    const [publisher, reader] = [known(), known()]
    opened.push(publisher, reader)
    const secret = ZoneSecret.generate('EDKEY', systemRandom)
    expect(await publisher.publish(certificate(secret))).toBe(true)
    const told = () => lab.tool(HUB, 'gnunet-revocation', '-t', zoneToText(secret.zone))
    await expect.poll(told, ARRIVED).toContain('has been revoked')
    const gone = zoneFromText(await lab.makeEgo(HUB, 'gone', 'EDKEY'))
    await lab.tool(HUB, 'gnunet-revocation', '-R', 'gone', '-p')
    await expect
      .poll(() => lab.tool(FAR, 'gnunet-revocation', '-t', zoneToText(gone)), ARRIVED)
      .toContain('has been revoked')
    reader.ask(gone)
    reader.ask(ZoneSecret.generate('EDKEY', systemRandom).zone)
    await expect.poll(() => reader.isRevoked(gone), ARRIVED).toBe(true)
    publisher.close()
    reader.close()
    await mesh.close()
  })

  test('what gnunet-revocation revokes, our peer hears, and our resolver refuses the zone', {
    timeout: 240_000,
  }, async () => {
    const { mesh, revocations } = await peer()
    const zone = zoneFromText(await lab.makeEgo(FAR, 'lost', 'EDKEY'))
    const clock = systemClock
    const database = new ZoneDatabase(memoryStore())
    const resolver = new Resolver({ mesh, clock, zones: () => null, database, revocations })
    const record = ['-n', 'www', '-t', 'TXT', '-V', 'hello', '-e', '1 h', '-p']
    await lab.tool(FAR, 'gnunet-namestore', '-z', 'lost', '-a', ...record)
    const resolve = () =>
      resolver.resolve({ labels: ['www'], zone }, 'any', { fresh: true }).then(
        () => 'resolved',
        ({ code }) => code,
      )
    await expect.poll(resolve, ARRIVED).toBe('resolved')
    const said = await lab.tool(FAR, 'gnunet-revocation', '-R', 'lost', '-p')
    expect(said).toMatch(/successfully revoked/)
    await expect.poll(resolve, ARRIVED).toBe('ZONE_REVOKED')
    expect(revocations.isRevoked(zone)).toBe(true)
    resolver.close()
  })
})
