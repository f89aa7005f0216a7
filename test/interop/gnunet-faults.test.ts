/** A known fault of GNUnet, provoked with real daemons: recognised, told with its cure, and the cure works. */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { portId } from '../../src/base/ids.ts'
import { Inbox } from '../compliance/mesh.ts'
import { attach, eventually, pause } from './daemon-mesh.ts'
import { Lab, withEachRelease } from './lab.ts'

const [NEAR, MIDDLE] = [1, 2]
const portOf = (name: string) => portId(new Uint8Array(createHash('sha512').update(name).digest()))

withEachRelease('the faults', release => {
  const lab = new Lab(release)
  beforeAll(() => lab.up(2, 'line'))
  afterAll(() => lab.down())

  test('a tunnel that went stale with a restart is recognised, and its cure works', async () => {
    const ids = await Promise.all([lab.id(NEAR), lab.id(MIDDLE)])
    // The peer with the smaller identity alone may begin a key exchange: the other is restarted.
    const [restarted, asking] = ids[0]! > ids[1]! ? [NEAR, MIDDLE] : [MIDDLE, NEAR]
    const mesh = await attach(lab, asking)
    const other = await attach(lab, restarted)
    other.listen(portOf('stale'), channel => channel.attach(new Inbox()))
    ;(await mesh.connect(other.self, portOf('stale'))).attach(new Inbox())
    await lab.stop(restarted)
    await lab.startAgain(restarted)
    await lab.linked(asking, 1)
    await eventually(() => (other.status().troubles ?? []).length === 0)
    const trying = mesh.connect(other.self, portOf('stale')).catch(error => error)
    const trouble = await eventually(() => mesh.status().troubles?.[0], 40_000)
    expect(trouble).toMatchObject({ kind: 'stale-tunnel', peer: other.self })
    expect(trouble.cure).toContain('-k cadet')
    await trying
    await lab.tool(asking, 'gnunet-arm', '-k', 'cadet')
    await lab.tool(asking, 'gnunet-arm', '-i', 'cadet')
    await pause(500)
    ;(await mesh.connect(other.self, portOf('stale'))).close()
    expect(mesh.status().troubles).toEqual([])
    await Promise.all([mesh.close(), other.close()])
  })
})
