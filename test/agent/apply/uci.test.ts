import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Applier } from '../../../agent/apply/applier.ts'
import { World } from '../../sim/world.ts'
import { Place, push } from './place.ts'

let world: World
let place: Place
let applier: Applier

describe('changes of uci', () => {
  const LAN = "# by hand\nconfig interface 'lan'\n\toption proto 'dhcp'\n\toption note 'stays'\n"
  const uci = (value: string) => [
    {
      config: 'network',
      change: { is: 'set' as const, section: 'lan', option: 'proto', value },
    },
    {
      config: 'network',
      change: { is: 'section' as const, section: 'guest', type: 'interface' },
    },
  ]

  beforeEach(async () => {
    world = new World(1)
    place = new Place(world)
    place.put({
      'config/network': LAN,
      'bin/reload_config': `#!/bin/sh\necho ran >> ${place.top}/ran\n`,
    })
    chmodSync(place.path('bin/reload_config'), 0o755)
    applier = place.applier({ uci: place.path('config') })
    await applier.recover()
  })
  afterEach(() => {
    applier.close()
    place.clean()
  })

  const refused = async (changes: object[], sentence: string) => {
    const before = place.tree()
    const pushing = push(applier, place.release({}, { uci: changes as never }))
    await expect(pushing).rejects.toThrow(sentence)
    expect(place.tree()).toEqual(before)
  }

  test('touch nothing else in the file, and are put back as a whole, reload_config included', async () => {
    const before = place.tree()
    const apply = [`PATH=${place.path('bin')}:$PATH; reload_config`]
    await push(applier, place.release({}, { uci: uci('static'), apply, undo: apply }))
    expect(readFileSync(place.path('config/network'), 'utf8')).toBe(
      `${LAN.replace('dhcp', 'static')}\nconfig interface 'guest'\n`,
    )
    expect(place.tree()[place.path('config/network')]).toMatch(/^640 /)
    await world.pass(90_001)
    while (applier.open) await new Promise(done => setTimeout(done, 5))
    expect(place.tree()).toEqual(before)
    expect(readFileSync(`${place.top}/ran`, 'utf8')).toBe('ran\nran\n')
  })

  test('of a section that is not there, or in a file that is none of uci, are refused', async () => {
    const change = { is: 'set' as const, section: 'wan', option: 'x', value: 'y' }
    await refused([{ config: 'network', change }], 'There is no section "wan".')
    writeFileSync(place.path('config/network'), 'no config at all\n')
    await refused(uci('static'), 'Line 1 begins with "no"')
  })
})
