/** A device and two people: its owner lets somebody else in, for some things, and out again. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Controller } from './fleet.ts'
import { type Household, household } from './household.ts'
import { cleanUp, Program } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 300
/** Issue: revocation takes effect on open sessions within a minute. */
const REVOKED_MS = 60_000
/** The grant that ends by itself; a session must be open before. */
const LASTS_MS = 20_000

describe('sharing a device', { timeout: 300_000 }, () => {
  let home: Household
  let guest: Controller
  let guestZone: string

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    guest = new Controller('guest')
    await guest.must('init', '--ego', 'ada')
    guestZone = (JSON.parse(await guest.must('id', '--json')) as { id: string }).id
    const { hello } = await home.hubs[0]!.status()
    await guest.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await guest.must('add', device_zone, '--as', 'hut')
  })
  afterAll(cleanUp)

  test('whoever has no grant gets nowhere', async () => {
    for (const words of [
      ['exec', 'hut', '--', 'true'],
      ['grants', 'hut'],
      ['audit', 'hut'],
    ]) {
      const { code, err } = await guest.box(...words)
      expect([code, err], words.join(' ')).toEqual([77, expect.stringContaining('grant')])
    }
  })

  test('a granted command runs, and nothing else', async () => {
    const { must } = home.controller
    const own = must.bind(home.controller)
    await own('grant', 'kitchen', guestZone, 'exec', '--as', 'ada', '--command', 'echo *')
    expect(await guest.must('ssh', 'hut', '--', 'echo hello')).toBe('hello\n')
    expect((await guest.box('ssh', 'hut', '--', 'id')).code).toBe(77)
    expect((await guest.box('ssh', 'hut', '--', 'echo; id')).code).toBe(77)
    expect((await guest.box('cp', 'hut:/etc/hostname', '/dev/null')).code).toBe(77)
    expect((await guest.box('grant', 'hut', guestZone, 'admin', '--as', 'ada')).code).toBe(77)
    expect(await own('grants', 'kitchen')).toMatch(/^ada +exec +echo \* +until revoked/m)
  })

  test('revoking ends the open session, and the audit journal has all of it', async () => {
    const own = home.controller.must.bind(home.controller)
    await own('grant', 'kitchen', guestZone, 'shell,exec', '--as', 'ada')
    const session = new Program(guest.command('ssh', 'hut', '--', 'echo here; sleep 600'))
    await session.until(/here/)
    const begun = Date.now()
    await own('revoke', 'kitchen', 'ada')
    const { code } = await session.ended(REVOKED_MS)
    console.log(`ended ${Date.now() - begun} ms after box revoke was typed`)
    expect(code).not.toBe(0)
    expect((await guest.box('ssh', 'hut', '--', 'true')).code).toBe(77)
    const audit = await own('audit', 'kitchen')
    for (const line of [
      /home +grant +done +ada \S+: exec/,
      /ada +exec +begun +echo hello/,
      /ada +exec +exit 0 +echo hello/,
      /ada +exec +refused +id/,
      /ada +files +refused/,
      /ada +exec +(signal HUP|cut off) +echo here/,
      /home +grant +done +ada \S+: nothing/,
    ])
      expect(audit).toMatch(line)
    // What was seen is what is there the next time.
    await own('audit', 'kitchen')
  })

  test('a grant ends with its time', async () => {
    const until = new Date(Date.now() + LASTS_MS).toISOString().slice(0, 19)
    const own = home.controller.must.bind(home.controller)
    await own('grant', 'kitchen', guestZone, 'exec', '--as', 'ada', '--until', `${until}Z`)
    const session = new Program(guest.command('ssh', 'hut', '--', 'echo here; sleep 600'))
    await session.until(/here/)
    expect((await session.ended(LASTS_MS + REVOKED_MS)).code).not.toBe(0)
    expect(Date.now()).toBeLessThan(Date.parse(`${until}Z`) + REVOKED_MS)
    expect((await guest.box('ssh', 'hut', '--', 'true')).code).toBe(77)
  })
})
