/** Saying yes: what is shown is all of what is signed, and nothing looks like something else. */

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApprovalDesk } from '../../agent/approval-desk.ts'
import { exactly } from '../../controller/approving.ts'
import type { Command } from '../../controller/command.ts'
import { approvals } from '../../controller/commands/approvals.ts'
import { approve } from '../../controller/commands/approve.ts'
import { exec } from '../../controller/commands/exec.ts'
import { memoryStore } from '../../src/base/store.ts'
import { GrantBook, ownerGrant } from '../../src/box/grant.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { keysOf } from '../agent/only-key.ts'
import { utf8 } from '../vectors.ts'
import { type Controller, Rig, type RigDevice } from './rig.ts'

const TIMEOUT_MS = 60_000

describe('a command line', () => {
  test('that hides something shows it by its number', () => {
    expect(exactly('echo "a b"; ls ~/ü')).toBe('echo "a b"; ls ~/ü')
    expect(exactly('true\n\u001b[2Krm -rf /')).toBe('true\\u{a}\\u{1b}[2Krm -rf /')
    expect(exactly('a\u202eb\u200b\u00a0\ud800\\n')).toBe(
      'a\\u{202e}b\\u{200b}\\u{a0}\\u{d800}\\\\n',
    )
  })

  test('looks like no other one', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'a\\u{} \n\u00a0\u200b1') })
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        expect(exactly(one) === exactly(other)).toBe(one === other)
      }),
    )
  })
})

describe('box', () => {
  let rig: Rig
  let owner: Controller
  let kitchen: RigDevice
  let desk: ApprovalDesk
  const ada = ZoneSecret.generate('PKEY', {
    bytes: size => new Uint8Array(size).fill(7),
    below: () => 0,
  })

  beforeEach(async () => {
    rig = new Rig()
    owner = await rig.controller({ json: true })
    kitchen = await rig.device(owner, 'kitchen')
    const { world } = rig
    const grants = new GrantBook(memoryStore())
    const names = (holder: string) => ({ holder, deviceName: 'kitchen' })
    grants.set(ownerGrant(owner.context.ego().secret.zone, names('home'), 0))
    grants.set({ ...ownerGrant(ada.zone, names('ada'), 0), rights: ['exec'] })
    const device = keysOf(kitchen.secret, { clock: world })
    const audit = { note: () => {} }
    desk = new ApprovalDesk({
      clock: world,
      random: world.random,
      device,
      grants,
      audit,
      own: 'root',
    })
    kitchen.approvals = zone => ({
      list: () => desk.list(zone),
      judge: signed => desk.judge(zone, signed),
    })
  })
  afterEach(() => rig.clean())

  const ask = (requester = ada.zone) =>
    desk.ask({
      ...{ requester, publicKey: utf8('key'), kind: 'exec', input: utf8('in') },
      ...{ user: 'root', line: 'reboot' },
    })

  const typed = (command: Command, args: object) =>
    rig.world.until(
      command.run(owner.context, {
        ...{ selector: 'kitchen', name: 'kitchen', timeout: 5, deny: false, all: false },
        ...{ json: true, state: undefined, ...args },
      } as never),
      TIMEOUT_MS,
    )

  test('approvals shows what waits, approve lets it be done', async () => {
    const waiting = ask()
    await typed(approvals, {})
    expect(JSON.parse(owner.said.out)).toMatchObject({
      ...{ device: 'kitchen', id: waiting.id, kind: 'exec', command: 'reboot', user: 'root' },
      ...{ who: 'ada', zone: zoneToText(ada.zone), may_approve: true, input: { size: 2 } },
    })
    await typed(approve, { id: waiting.id.slice(0, 5).toLowerCase() })
    expect(await rig.world.until(waiting.ended, TIMEOUT_MS)).toEqual({ is: 'approved', by: 'home' })
  })

  test('approve --deny denies it; nobody approves their own, or what is not there', async () => {
    const waiting = ask()
    await typed(approve, { id: waiting.id, deny: true })
    expect(await rig.world.until(waiting.ended, TIMEOUT_MS)).toEqual({ is: 'denied', by: 'home' })
    const failing = (id: string) => typed(approve, { id })
    await expect(failing(waiting.id)).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
    await expect(failing('7Q')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const own = ask(owner.context.ego().secret.zone)
    await expect(failing(own.id)).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  })

  test('exec --two waits here, and not in a queue', async () => {
    const later = { two: true, parallel: 1, limit: undefined, stdin: false }
    const words = { script: undefined, expires: undefined, '--': ['true'] }
    for (const other of [
      { queue: true, every: undefined },
      { queue: false, every: '1h' },
    ])
      await expect(typed(exec, { ...later, ...words, ...other })).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
  })
})
