/** The page of `box up` in Chromium, over a real agent through a hub: letting people in, how far, and being the second person. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeBrowsers, examine, type Visitor, visitor } from './browser.ts'
import { Controller } from './fleet.ts'
import { type Household, household } from './household.ts'
import { cleanUp, missing, Program } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 21_000) + 45
const API = `http://127.0.0.1:${PORT + 1}`
/** Nothing that is waited for takes so long on an idle machine; CI is not idle. */
const PATIENCE_MS = 60_000

describe.skipIf(missing(['chromium']))('the page of box up', { timeout: 240_000 }, () => {
  let home: Household
  let owner: Visitor

  const visible = (text: string | RegExp) =>
    owner.page.getByText(text).first().waitFor({ timeout: PATIENCE_MS })

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    const up = new Program(home.controller.command('up', '--port', `${PORT + 1}`, '--json'))
    await up.until(/"api":/)
    owner = await visitor()
    owner.page.setDefaultTimeout(PATIENCE_MS)
    const { url } = JSON.parse(await home.controller.must('dashboard', '--print', '--json'))
    await owner.page.goto(url)
    await owner.page.getByRole('row', { name: /kitchen.* reachable/ }).waitFor()
  })
  afterAll(async () => {
    await closeBrowsers()
    await cleanUp()
  })

  test('lets somebody in and out, and tells who did what', async () => {
    const ada = new Controller('ada')
    await ada.must('init', '--ego', 'ada')
    const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    await owner.page.goto(`${API}/#/device/kitchen/access`)
    await owner.page.getByRole('textbox', { name: /^Their key/ }).fill(id)
    await owner.page.getByRole('textbox', { name: 'What to call them' }).fill('ada')
    for (const right of ['status', 'exec', 'files'])
      await owner.page.getByRole('checkbox', { name: right }).check()
    await owner.page.getByText('How far that goes').click()
    await owner.page.getByRole('textbox', { name: /as these users/ }).fill('www\nbackup\n')
    await owner.page.getByRole('textbox', { name: /these commands/ }).fill('systemctl status *')
    await owner.page.getByRole('textbox', { name: /these directories/ }).fill('srv')
    await owner.page.getByRole('checkbox', { name: /is recorded/ }).check()
    await owner.page.getByRole('textbox', { name: /^Until the end of/ }).fill('2999-01-31')
    await owner.page.getByRole('button', { name: 'Let in' }).click()
    await visible('The paths are from the root.')
    await examine(owner, 'access-refused')
    await owner.page.getByRole('textbox', { name: /these directories/ }).fill('/srv')
    await owner.page.getByRole('button', { name: 'Let in' }).click()
    const how = 'as www, backup runs systemctl status * below /srv recorded'
    await owner.page.getByRole('row', { name: `ada status, exec, files ${how}` }).waitFor()
    const said = await home.controller.must('grants', 'kitchen', '--json')
    const granted = said.split('\n').find(line => line.includes('"ada"'))
    expect(JSON.parse(granted!)).toMatchObject({
      until: new Date('2999-02-01T00:00:00').toISOString(),
      scope: {
        ...{ users: ['www', 'backup'], commands: ['systemctl status *'] },
        ...{ paths: ['/srv'], targets: null, recorded: true, approved: false },
      },
    })
    await owner.page
      .getByRole('row', { name: /home.*grant/ })
      .first()
      .waitFor()
    await examine(owner, 'access')
    owner.page.once('dialog', dialog => dialog.accept())
    await owner.page.getByRole('button', { name: 'End the grant of ada' }).click()
    await visible('ada may do nothing on kitchen any more.')
    expect(await home.controller.must('grants', 'kitchen')).not.toContain('ada')
  })

  test('shows what waits for a second person, all of it, and takes yes and no', async () => {
    await owner.page.goto(`${API}/#/approvals`)
    await visible('Nothing waits')
    const ada = new Controller('ada-two')
    await ada.must('init', '--ego', 'ada')
    const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    const { hello } = await home.hubs[0]!.status()
    await ada.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await ada.must('add', device_zone, '--as', 'hut')
    await home.controller.must('grant', 'kitchen', id, 'exec', '--as', 'ada', '--two')
    const ask = async (line: string) => {
      const asking = new Program(ada.command('exec', 'hut', '--', line))
      await asking.until(/waits for approval by another person/, 60_000)
      await owner.page.getByRole('button', { name: 'Ask again' }).click()
      return asking
    }
    const approved = await ask('echo done \u202e; exit 3')
    await visible(/exec: echo done \\u\{202e\}; exit 3/)
    await visible(/as \w+, asked by ada \(000G/)
    await examine(owner, 'approvals')
    await owner.page.getByRole('button', { name: /^Approve \w{12} on kitchen/ }).click()
    await visible('Approved: kitchen does now what ada asks for.')
    const { code, out } = await approved.ended(60_000)
    expect([code, out]).toEqual([3, expect.stringContaining('hut | done')])
    await visible('Nothing waits')
    const denied = await ask('true')
    await owner.page.getByRole('button', { name: /^Deny \w{12} on kitchen/ }).click()
    await visible('Denied: ada is told so.')
    expect((await denied.ended(60_000)).code).toBe(77)
    await home.controller.must('revoke', 'kitchen', 'ada')
  })

  test('gives a device another zone key, where that was meant, and follows it there', async () => {
    const { page } = owner
    const keys = async () => {
      const { device_zone, device_zones_before } = await home.device.status()
      return { now: device_zone, before: device_zones_before.map(({ zone }) => zone) }
    }
    const { now: before } = await keys()
    await page.goto(`${API}/#/device/kitchen`)
    await page.getByText('Keys', { exact: true }).click()
    page.once('dialog', dialog => dialog.dismiss())
    await page.getByRole('button', { name: 'New zone key' }).click()
    expect((await keys()).now).toBe(before)
    page.once('dialog', dialog => dialog.accept())
    await page.getByRole('button', { name: 'New zone key' }).click()
    await visible(/^kitchen has the key 000G\w+ now\.$/)
    await examine(owner, 'device-new-key')
    const after = await keys()
    expect(after).toEqual({ now: expect.not.stringContaining(before), before: [before] })
    await visible(`kitchen has the key ${after.now} now.`)
    expect(await home.controller.must('ls', '--json')).toContain(after.now)
    // By the key it has now: whoever looks at the page goes on, and so does whoever types.
    await page.goto(`${API}/#/`)
    await page.getByRole('row', { name: /kitchen.* reachable/ }).waitFor()
    expect(await home.controller.must('exec', 'kitchen', '--', 'echo', 'a42b')).toContain('a42b')
  })

  test('is left as it was found: nothing was refused by its own rules', () => {
    expect(owner.complaints).toEqual([])
  })
})
