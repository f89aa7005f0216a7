/** Services that a bundle names are reloaded by the service manager, before and after; here it is a script that writes down what it is asked. */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Applier } from '../../../agent/apply/applier.ts'
import { reloading } from '../../../agent/apply/service-reload.ts'
import { World } from '../../sim/world.ts'
import { Place, push } from './place.ts'

let world: World
let place: Place
let applier: Applier
let bin: string

beforeEach(async () => {
  world = new World(1)
  place = new Place(world)
  place.put({ a: 'old' })
  bin = join(place.top, 'bin')
  mkdirSync(bin)
  applier = place.applier()
  await applier.recover()
})
afterEach(() => {
  vi.unstubAllEnvs()
  applier.close()
  place.clean()
})

/** A systemctl that notes its words and what the file has then, and ends with what `fails` says. */
function systemctl(fails = 'exit 0'): void {
  const path = join(bin, 'systemctl')
  const script = `#!/bin/sh\necho "$(cat ${place.path('a')}): $*" >> ${place.top}/asked\ncase "$*" in\n`
  writeFileSync(path, `${script}  *is-failed*) ${fails} ;;\n  *) exit 0 ;;\nesac\n`)
  chmodSync(path, 0o755)
  vi.stubEnv('PATH', `${bin}:${process.env.PATH}`)
}

const asked = () => readFileSync(`${place.top}/asked`, 'utf8').trimEnd().split('\n')
const failed = 'exit 0'
const well = 'exit 3'
const RELOADED = (content: string, service: string) => [
  `${content}: --no-ask-password reload-or-restart -- ${service}`,
  `${content}: --quiet is-failed -- ${service}`,
]

test('reloads each service with the new files, and with the old ones when they are put back', async () => {
  systemctl(well)
  const reload = ['nftables', 'wg-quick@wg0.service']
  await push(applier, place.release({ a: { text: 'new' } }, { reload, confirmSeconds: 9 }))
  expect(asked()).toEqual(reload.flatMap(service => RELOADED('new', service)))
  await applier.refuse('The test is over.')
  expect(asked().slice(4)).toEqual(reload.flatMap(service => RELOADED('old', service)))
})

test('a service that has failed since puts everything back, and is named', async () => {
  systemctl(failed)
  const release = place.release({ a: { text: 'new' } }, { reload: ['nftables'] })
  const applied = await push(applier, release)
  expect(applied).toMatchObject({
    ...{ is: 'put back' },
    outcome: {
      ...{ reason: '"reload nftables" ended with 1.' },
      complaints: ['"reload nftables" ended with 1.'],
    },
  })
  expect(readFileSync(place.path('a'), 'utf8')).toBe('old')
})

test('comes after the commands of apply, and before the checks after', async () => {
  systemctl(well)
  const note = (word: string) => [`echo ${word} >> ${place.top}/asked`]
  await push(
    applier,
    place.release(
      { a: { text: 'new' } },
      { apply: note('apply'), after: note('after'), reload: ['x'] },
    ),
  )
  expect(asked()).toEqual(['apply', ...RELOADED('new', 'x'), 'after'])
})

test('repairs and ways back reload what they change as well', async () => {
  systemctl(well)
  const confirmed = async (text: string) => {
    await push(applier, place.release({ a: { text } }, { reload: ['x'], drift: 'repair' }))
    applier.confirm(applier.open!.id)
  }
  await confirmed('one')
  await confirmed('two')
  writeFileSync(place.path('a'), 'by hand')
  await applier.repair()
  await applier.goBack(1, () => {})
  expect(asked()).toEqual(['one', 'two', 'two', 'one'].flatMap(text => RELOADED(text, 'x')))
})

test('where neither systemd nor procd has the service, nothing is changed in the end, and it says so', async () => {
  for (const name of ['sh', 'cat']) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec /bin/${name} "$@"\n`)
    chmodSync(join(bin, name), 0o755)
  }
  vi.stubEnv('PATH', bin)
  const release = place.release({ a: { text: 'new' } }, { reload: ['no-such-service-of-ours'] })
  expect(await push(applier, release)).toMatchObject({
    outcome: {
      reason: '"reload no-such-service-of-ours" ended with 1: there is no such service here.',
    },
  })
  expect(existsSync(`${place.top}/asked`)).toBe(false)
})

test('on OpenWrt the init script of the service is asked, and its failure counts', () => {
  const asking = (service: string) => {
    const command = reloading(service)
    const line = typeof command === 'string' ? command : command.line
    return spawnSync('/bin/sh', ['-c', line.replaceAll('/etc/init.d', bin)], {
      env: { PATH: '' },
      encoding: 'utf8',
    })
  }
  for (const [name, code] of [
    ['dnsmasq', 0],
    ['firewall', 3],
  ] as const) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*"\nexit ${code}\n`)
    chmodSync(join(bin, name), 0o755)
    expect(asking(name)).toMatchObject({ status: code, stdout: `${name} reload\n` })
  }
  expect(asking('odhcpd')).toMatchObject({ status: 1, stdout: 'there is no such service here\n' })
})
