/** The services that an owner has named: where the names come from, and since when one is as it is. */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ServiceSaid } from '../../agent/service-states.ts'
import { readServiceNames, WatchedServices } from '../../agent/watched-services.ts'
import { silentLog } from '../../src/base/log.ts'
import { World } from '../sim/world.ts'

let folder: string
let world: World
let services: WatchedServices | null
let machine: Record<string, ServiceSaid>
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'box-watched-'))
  world = new World(1)
  services = null
  machine = {}
})
afterEach(() => {
  services?.close()
  expect(world.pending).toBe(0)
  rmSync(folder, { recursive: true, force: true })
})

const file = () => join(folder, 'services.json')
const write = (text: string) => {
  writeFileSync(`${file()}.new`, text)
  renameSync(`${file()}.new`, file())
}
const watch = (own: readonly string[]) => {
  services = new WatchedServices({
    ...{ own, path: file(), clock: world, log: silentLog },
    ask: async names => names.map(name => machine[name] ?? { state: 'missing', since: null }),
  })
  return services
}
const is = (state: ServiceSaid['state'], since: number | null = null) => ({ state, since })

test('names come from the settings and from a file that may be pushed', async () => {
  machine = { ssh: is('running', 5), nginx: is('failed', 7) }
  const all = watch(['ssh'])
  await world.pass(1)
  expect(all.report()).toEqual({
    readings: [{ name: 'ssh', state: 'running', since: 5 }],
    fault: null,
  })
  write('["nginx", "ssh"]')
  await world.pass(10_000)
  expect(all.report().readings.map(({ name }) => name)).toEqual(['nginx', 'ssh'])
})

test('a wrong file leaves the names before, and says what is wrong with it', async () => {
  write('["ssh"]')
  machine = { ssh: is('running', 5) }
  const all = watch([])
  await world.pass(1)
  write('["-H evil"]')
  await world.pass(10_000)
  expect(all.report().readings).toHaveLength(1)
  expect(all.report().fault).toBe(`${file()}: Entry 0 is no name of a service.`)
  rmSync(file())
  await world.pass(10_000)
  expect(all.report()).toEqual({ readings: [], fault: null })
})

test('where the machine does not say since when, it is what was seen', async () => {
  machine = { dnsmasq: is('running') }
  const all = watch(['dnsmasq'])
  await world.pass(25_000)
  // It was so before anybody looked.
  expect(all.report().readings[0]).toEqual({ name: 'dnsmasq', state: 'running', since: null })
  machine = { dnsmasq: is('stopped') }
  await world.pass(10_000)
  const { since } = all.report().readings[0]!
  expect(world.now() - since!).toBeLessThan(10_000)
  await world.pass(60_000)
  expect(all.report().readings[0]).toEqual({ name: 'dnsmasq', state: 'stopped', since })
})

test('nobody is asked where no service is named', async () => {
  let asked = 0
  services = new WatchedServices({
    ...{ own: [], path: file(), clock: world, log: silentLog },
    ask: async () => {
      asked++
      return []
    },
  })
  await world.pass(60_000)
  expect(asked).toBe(0)
})

test('names are refused that are none, or too many', () => {
  expect(readServiceNames(['ssh', 'process:dnsmasq'])).toEqual(['ssh', 'process:dnsmasq'])
  for (const wrong of [{}, 'ssh', [7], ['a b'], Array(33).fill('ssh')])
    expect(() => readServiceNames(wrong)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
})
