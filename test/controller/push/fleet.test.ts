/**
 * A roll-out over a fleet, of which every tenth is off and four cannot take it. FLEET=200 makes it as large as the
 * figures in the documentation want it (then the four are 2 %); 40 show the same.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Command } from '../../../controller/command.ts'
import { push } from '../../../controller/commands/push.ts'
import { sync } from '../../../controller/commands/sync.ts'
import { PushHouse } from './house.ts'

const DEVICES = Number(process.env.FLEET ?? 40)
const OFF_EVERY = 10
const BAD_EVERY = DEVICES / 4
const BATCH = DEVICES / 8
/** Many devices in one process take their time to come up. */
const SECONDS = DEVICES > 100 ? 15 : 3

let house: PushHouse
let bundle: string

beforeEach(async () => {
  house = await PushHouse.open()
  bundle = mkdtempSync(join(tmpdir(), 'box-bundle-'))
  writeFileSync(join(bundle, 'motd'), 'I am {{ device.name }}\n')
  const files = `files: { ${house.shared}/motd: { template: motd } }\n`
  const head = `bundle: 1\nname: test\nroots: [${house.shared}]\n`
  writeFileSync(join(bundle, 'bundle.yaml'), head + files)
})
afterEach(async () => {
  await house.close()
  rmSync(bundle, { recursive: true, force: true })
})

const nameOf = (i: number) => `d${String(i).padStart(3, '0')}`
const isOff = (i: number) => i % OFF_EVERY === 5
const isBad = (i: number) => i % BAD_EVERY === BAD_EVERY - 1
const OFF = DEVICES / OFF_EVERY
const numbers = Array.from({ length: DEVICES }, (_, i) => i)

function run(command: Command, args: object): Promise<number | undefined> {
  const { context, said } = house.controller
  said.out = ''
  said.err = ''
  const common = { json: false, state: undefined, timeout: SECONDS }
  return command.run(context, { ...common, ...args })
}

/** What was said of each device, by its name. */
const report = () =>
  new Map(
    house.controller.said.out
      .trimEnd()
      .split('\n')
      .map(line => [line.slice(0, 4), line.slice(6)]),
  )

test('stops at its threshold, reports rightly, and those that were off catch up', {
  timeout: 900_000,
}, async () => {
  for (const i of numbers) {
    await house.device(nameOf(i))
    const motd = join(house.etc(nameOf(i)), 'motd')
    if (isBad(i)) {
      rmSync(motd)
      mkdirSync(motd) // No bundle can put a file there.
    }
  }
  for (const i of numbers) if (isOff(i)) await house.off(nameOf(i))
  const args = { selector: '@all', bundle, 'dry-run': false, canary: 1, batch: BATCH }

  expect(await run(push, { ...args, 'max-failures': 1 })).toBe(77)
  // The second failure is in the batch that ends in the middle.
  const stopped = report()
  expect(stopped.size).toBe(DEVICES)
  for (const i of numbers) {
    const said = stopped.get(nameOf(i))!
    if (i > DEVICES / 2) expect(said).toBe('not tried')
    else if (isBad(i)) expect(said).toMatch(/^refused: .* is there and is no file/)
    else if (isOff(i)) expect(said).toMatch(/^off: /)
    else expect(said).toBe('confirmed, generation 1')
  }
  expect(house.controller.said.err).toContain(
    `Stopped: 2 failed, ${DEVICES / 2 - 1} were not tried.`,
  )

  const begun = Date.now()
  expect(await run(push, { ...args, 'max-failures': 9 })).toBe(77)
  const ms = Date.now() - begun
  expect(house.controller.said.err).toContain(
    `${DEVICES - 4 - OFF} of ${DEVICES} devices have it, 4 failed, ${OFF} are off.`,
  )
  for (const i of numbers) {
    if (!isOff(i) && !isBad(i))
      expect(readFileSync(join(house.etc(nameOf(i)), 'motd'), 'utf8')).toBe(`I am ${nameOf(i)}\n`)
  }

  for (const i of numbers) if (isOff(i)) await house.on(nameOf(i))
  expect(await run(sync, { watch: false })).toBe(0)
  const caughtUp = report()
  expect(caughtUp.size).toBe(OFF)
  for (const [, said] of caughtUp) expect(said).toBe('confirmed, generation 1')
  const rss = Math.round(process.memoryUsage().rss / 1_048_576)
  console.log(`second roll-out over ${DEVICES} devices: ${ms} ms; the whole world in ${rss} MiB`)
})
