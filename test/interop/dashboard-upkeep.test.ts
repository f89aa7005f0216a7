/** The page of `box up` in Chromium: another version for a device that was installed, new keys, and the end of a zone. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VERSION } from '../../src/base/version.ts'
import { closeBrowsers, examine, type Visitor, visitor } from './browser.ts'
import { Agent, Controller } from './fleet.ts'
import { InstalledDevice, STRANGER, Versions } from './installed-device.ts'
import { cleanUp, folder, missing, Program } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 21_000) + 50
const API = `http://127.0.0.1:${PORT + 1}`
/** Nothing that is waited for takes so long on an idle machine; CI is not idle. */
const PATIENCE_MS = 60_000
/** A start, a link to the hub, and a search for the device. */
const UPGRADE_MS = 240_000

describe.skipIf(missing(['chromium']))('the page of box up', { timeout: 300_000 }, () => {
  let versions: Versions
  let device: InstalledDevice
  let controller: Controller
  let terminals: { close(): void }
  let owner: Visitor

  const button = (name: string | RegExp) => owner.page.getByRole('button', { name })
  const visible = (text: string | RegExp, ms = PATIENCE_MS) =>
    owner.page.getByText(text).first().waitFor({ timeout: ms })
  const hand = async (path: string) => {
    await owner.page.getByLabel(/^Signed release files/).setInputFiles(path)
  }
  const id = async () => (await controller.must('id')).trim()

  beforeAll(async () => {
    // Some thirty tries in place of millions.
    process.env.BOX_REVOCATION_BITS = '1'
    const top = folder('upkeep')
    versions = await Versions.build(top)
    const hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${PORT}`])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new InstalledDevice(top, versions.executable(VERSION), hello)
    terminals = device.withTerminals()
    controller = new Controller('controller')
    await controller.must('init', '--ego', 'home')
    await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    const up = new Program(controller.command('up', '--port', `${PORT + 1}`, '--json'))
    await up.until(/"api":/)
    owner = await visitor()
    owner.page.setDefaultTimeout(PATIENCE_MS)
    const { url } = JSON.parse(await controller.must('dashboard', '--print', '--json'))
    await owner.page.goto(url)
    await owner.page.getByRole('row', { name: /kitchen.* reachable/ }).waitFor()
  }, UPGRADE_MS)
  afterAll(async () => {
    delete process.env.BOX_REVOCATION_BITS
    terminals?.close()
    await closeBrowsers()
    await cleanUp()
  })

  test('says what is no release, and what a device does not take', async () => {
    await owner.page.getByRole('link', { name: 'Upgrade agents' }).click()
    await owner.page.getByRole('heading', { name: 'Upgrade', exact: true }).waitFor()
    await visible('None is here yet.')
    expect(await button('Show what would happen').isDisabled()).toBe(true)
    const nonsense = join(folder('nonsense'), 'nonsense.release')
    writeFileSync(nonsense, 'x'.repeat(100_000))
    await hand(nonsense)
    await visible('The release is not taken. It is of another kind.')
    await hand(versions.release('0.9.0', versions.executable('0.9.0'), STRANGER))
    await visible(/^0\.9\.0 for \S+ is whole\./)
    await owner.page.getByLabel('A name, @tag, or @all').fill('@all')
    await button('Show what would happen').click()
    await owner.page.getByRole('row', { name: /^kitchen .* 0\.9\.0 gets it/ }).waitFor()
    await button('Upgrade 1 device').click()
    await visible(/^kitchen: refused\. .* No pinned key has signed it\./)
    await examine(owner, 'upgrade-refused')
    await button(/^Take away 0\.9\.0/).click()
    await visible('None is here yet.')
  })

  test('shows what would happen, brings it, and shows it again to whoever comes back meanwhile', async () => {
    await owner.page.goto(`${API}/#/device/kitchen`)
    await owner.page.getByRole('link', { name: 'Upgrade', exact: true }).click()
    await owner.page.getByRole('heading', { name: 'Upgrade: kitchen' }).waitFor()
    await hand(versions.release('0.2.0'))
    await button('Show what would happen').click()
    const planned = `kitchen ${process.platform}-${process.arch} ${VERSION} 0.2.0 gets it`
    await owner.page.getByRole('row', { name: planned }).waitFor()
    await examine(owner, 'upgrade-plan')
    await button('Upgrade 1 device').click()
    await visible(/^kitchen: /)
    await owner.page.goto(`${API}/#/map`)
    await owner.page.goto(`${API}/#/upgrade`)
    await visible('An upgrade goes on.')
    await button('Stop').waitFor()
    const proven = `kitchen: 0.2.0 has proven itself; before it was ${VERSION}.`
    await visible(proven, UPGRADE_MS)
    await examine(owner, 'upgrade')
    expect(device.current()).toBe('0.2.0')
  })

  test('shows a version that gave way', async () => {
    await owner.page.goto(`${API}/#/`)
    await owner.page.goto(`${API}/#/device/kitchen/upgrade`)
    await visible('0.2.0')
    await button(/^Take away 0\.2\.0/).click()
    await visible('None is here yet.')
    const crash = `#!/bin/sh\ncase "$2" in --version) echo 0.3.0 ;; *) kill -SEGV $$ ;; esac\n`
    await hand(versions.release('0.3.0', crash))
    await button('Show what would happen').click()
    await button('Upgrade 1 device').click()
    await visible('kitchen: 0.3.0 did not prove itself; 0.2.0 is back.', UPGRADE_MS)
    await button('Show what would happen').click()
    await visible(/it gave way there the last time/)
    await examine(owner, 'upgrade-gave-way')
    expect(device.current()).toBe('0.2.0')
  })

  test('gives a new key once the name is typed, by keyboard, and the device knows it', async () => {
    const works = async () =>
      expect(await controller.must('exec', 'kitchen', '--', 'echo', 'here')).toContain('here')
    await works()
    const before = await id()
    await owner.page.goto(`${API}/#/you`)
    await visible(before)
    await button('New key for yourself').press('Enter')
    const dialog = owner.page.getByRole('dialog', { name: 'A new key for yourself?' })
    await dialog.waitFor()
    await owner.page.keyboard.type('hom')
    expect(await button('Make a new key').isDisabled()).toBe(true)
    await examine(owner, 'you-new-key')
    await owner.page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await id()).toBe(before)
    await owner.page.keyboard.press('Enter')
    await owner.page.keyboard.type('home')
    await owner.page.keyboard.press('Enter')
    await visible('kitchen: knows it.')
    await visible(/^You are 000G\w+ now\. Make a new backup/)
    await examine(owner, 'you')
    expect(await id()).not.toBe(before)
    await visible(await id())
    await works()
  })

  test('ends a key everywhere, and at last our own zone, once it is typed', async () => {
    const ada = new Controller('ada')
    await ada.must('init', '--ego', 'ada')
    const { id: key } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    await controller.must('grant', 'kitchen', key, 'status', '--as', 'ada')
    await owner.page.goto(`${API}/#/you`)
    await owner.page.getByLabel(/^What they are called on your devices/).fill('ada')
    await button('End it on all devices').click()
    await owner.page.getByRole('dialog').getByRole('textbox').fill('ada')
    await button('End it').last().click()
    await visible('It is revoked. Devices are told:')
    await visible('kitchen: knows it.')
    expect(await controller.must('grants', 'kitchen')).not.toContain('ada')

    await owner.page.getByText('Revoke a zone in the GNU Name System').click()
    await visible('No certificate was begun here.')
    await button('Work for a certificate').click()
    await visible('A certificate is ready.')
    await button('Revoke it for good').click()
    const dialog = owner.page.getByRole('dialog', { name: 'Revoke the zone of home?' })
    await dialog.getByRole('textbox').fill('home')
    await examine(owner, 'you-revoke')
    await button('Revoke for good').click()
    await visible(/^home is revoked until /)
    await examine(owner, 'you-revoked')
    expect(await controller.must('revocation', 'check')).toContain('revoked until')
  })

  test('is left as it was found: nothing was refused by its own rules', () => {
    expect(owner.complaints).toEqual([])
  })
})
