/**
 * A person whose grant demands that they are recorded, with the stock ssh, scp, sftp and rsync, and with `box`; the
 * owner who reads what they did, and what is seen when a recording was cut off.
 */

import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Controller } from './fleet.ts'
import { type Household, household, tryStock } from './household.ts'
import { cleanUp, missing, Program, run } from './program.ts'
import { Screen } from './screen.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 320
const skipped = missing(['ssh', 'scp', 'sftp', 'rsync', 'tmux']) !== null
const BANNER = /records what you do/

interface Entry {
  readonly id: string
  readonly state: string
  readonly who: string
  readonly what: string
  readonly detail: string
}

describe.skipIf(skipped)('a person who is recorded', { timeout: 300_000 }, () => {
  let home: Household
  let guest: Controller
  /** The stock tools of the guest. */
  let theirs: Household
  const screens: Screen[] = []

  const own = (...words: string[]) => home.controller.must(...words)
  const list = async (): Promise<Entry[]> =>
    (await own('recordings', 'kitchen', '--json'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Entry)
  /** What the newest recording of a kind shows, played without a terminal: at once. */
  const played = async (what: string, detail = ''): Promise<{ out: string; err: string }> => {
    await expect
      .poll(
        async () =>
          (await list()).filter(one => one.what === what && one.detail === detail).at(-1)?.state,
        { timeout: 20_000 },
      )
      .toBe('whole')
    const { id } = (await list()).filter(one => one.what === what && one.detail === detail).at(-1)!
    return await home.controller.box('play', 'kitchen', id)
  }

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    guest = new Controller('guest')
    await guest.must('init', '--ego', 'ada')
    const { id } = JSON.parse(await guest.must('id', '--json')) as { id: string }
    const { hello } = await home.hubs[0]!.status()
    await guest.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await guest.must('add', device_zone, '--as', 'hut')
    const said = await own('grant', 'kitchen', id, 'shell,exec,files', '--as', 'ada', '--record')
    expect(said).toMatch(/on kitchen, recorded\./)
    const sshConfig = join(home.files, 'guest.conf')
    writeFileSync(sshConfig, await guest.must('ssh-config'))
    theirs = { ...home, controller: guest, sshConfig }
  })
  afterAll(async () => {
    for (const screen of screens) screen.close()
    await cleanUp()
  })

  test('is told by every tool on standard error, and by none on standard output', async () => {
    const { code, out, err } = await tryStock(theirs, ['ssh', 'hut.box', 'echo hello'])
    expect([code, out]).toEqual([0, 'hello\n'])
    expect(err).toMatch(BANNER)
    const quiet = await tryStock(theirs, ['ssh', '-q', 'hut.box', 'echo hello'])
    expect([quiet.code, quiet.out, quiet.err]).toEqual([0, 'hello\n', ''])
    const box = await guest.box('ssh', 'hut', '--', 'echo hello')
    expect([box.code, box.out]).toEqual([0, 'hello\n'])
    expect(box.err).toMatch(BANNER)
    // The owner is not recorded, and is told nothing.
    const owner = await home.controller.box('ssh', 'kitchen', '--', 'echo hello')
    expect([owner.out, owner.err]).toEqual(['hello\n', ''])
    const { out: shown, err: proof } = await played('exec', 'echo hello')
    expect(shown).toContain('hello')
    expect(proof).toMatch(/signed by the device/)
  })

  test('copies by scp, old and new, sftp and rsync, whose every file is written down, unseen', async () => {
    const bytes = randomBytes(400_000)
    const sum = createHash('sha256').update(bytes).digest('hex')
    const at = (name: string) => join(home.files, name)
    writeFileSync(at('up'), bytes)
    for (const words of [
      ['scp', at('up'), `hut.box:${at('one')}`],
      ['scp', `hut.box:${at('one')}`, at('back')],
      ['scp', '-O', at('up'), `hut.box:${at('two')}`],
    ]) {
      const { code, err } = await tryStock(theirs, words)
      expect([words.join(' '), code, err]).toEqual([
        ...[words.join(' '), 0, expect.stringMatching(BANNER)],
      ])
      if (words.length === 3 && !words[1]!.startsWith('hut')) {
        const { out } = await played('files')
        expect(out).toContain(`close ${at('one')}: wrote 400000 bytes, sha256 ${sum}`)
      }
    }
    expect(readFileSync(at('back')).equals(bytes)).toBe(true)
    expect(readFileSync(at('two')).equals(bytes)).toBe(true)
    const { out } = await played('files')
    expect(out).toContain(`close ${at('one')}: read 400000 bytes`)
    expect(out.length).toBeLessThan(10_000)
    const { err: old } = await played('exec', `scp -t ${at('two')}`)
    expect(old).toMatch(/standard input: 4000\d\d bytes, sha256/)
    const rsync = await run([
      ...['rsync', '-e', `ssh -F ${theirs.sshConfig}`, at('up'), `hut.box:${at('three')}`],
    ])
    expect(rsync.code).toBe(0)
    expect(readFileSync(at('three')).equals(bytes)).toBe(true)
    const batch = await tryStock(theirs, ['sftp', '-b', '-', 'hut.box'], {
      input: `rename ${at('three')} ${at('four')}\nrm ${at('four')}\n`,
    })
    expect(batch.code).toBe(0)
    const { out: renamed } = await played('files')
    expect(renamed).toContain(`rename ${at('three')} to ${at('four')}`)
    expect(renamed).toContain(`remove ${at('four')}`)
  })

  test('reads so at a terminal whatever the client keeps silent, and asciinema plays what was done', async () => {
    const line = ['ssh', '-q', '-F', theirs.sshConfig, '-t', 'hut.box'].join(' ')
    const screen = new Screen('recorded', [90, 25], `${line}; exec sleep 600`)
    screens.push(screen)
    await screen.until(/This session is recorded \([0-9a-z]{13}\)/)
    await screen.until(/[$#] ?$/m, 120_000)
    screen.type("stty -echo; PS1='>> '", 'Enter')
    await screen.until(/^>>/m)
    screen.type('read secret', 'Enter')
    screen.type('hunter2', 'Enter')
    screen.type("echo gr''üße; exit 3", 'Enter')
    const { out } = await played('shell')
    expect(out).toContain('grüße')
    expect(out).not.toContain('hunter2')
    const { id } = (await list()).filter(({ what }) => what === 'shell').at(-1)!
    const file = join(home.files, 'it.cast')
    await own('play', 'kitchen', id, '--cast', file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const [header, ...events] = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(JSON.parse(header!)).toMatchObject({ version: 2, width: 90, height: 25 })
    let last = 0
    for (const event of events) {
      const [time, kind, data] = JSON.parse(event) as [number, string, string]
      expect(time).toBeGreaterThanOrEqual(last)
      expect('omr').toContain(kind)
      expect(typeof data).toBe('string')
      last = time
    }
    if (missing(['asciinema']) === null) {
      const words = `LANG=C.UTF-8 asciinema play -s 1000 ${file}`
      const player = new Screen('asciinema', [90, 25], `${words}; echo "status $?"; exec sleep 600`)
      screens.push(player)
      await player.until(/grüße[\s\S]*status 0/, 60_000)
    }
  })

  test('cannot list, read or lift it', async () => {
    const { id } = (await list())[0]!
    expect((await guest.box('recordings', 'hut')).code).toBe(77)
    expect((await guest.box('play', 'hut', id)).code).toBe(77)
    const me = (JSON.parse(await guest.must('id', '--json')) as { id: string }).id
    expect((await guest.box('grant', 'hut', me, 'shell', '--as', 'ada')).code).toBe(77)
  })

  test('has a shell that outlives the agent, and the next one goes on recording it', async () => {
    const line = guest.command('ssh', 'hut').join(' ')
    const screen = new Screen('outlived', [80, 24], `${line}; echo "status $?"; exec sleep 600`)
    screens.push(screen)
    await screen.until(/[$#] ?$/m, 120_000)
    screen.type("PS1='>> '; word=4711; echo bef''ore", 'Enter')
    await screen.until(/^before/m)
    await new Promise(resolve => setTimeout(resolve, 3_000))
    const restart = async () => {
      home.device.program.kill('SIGKILL')
      await home.device.program.ended()
      home.device.restart()
      await home.device.linked()
    }
    // It comes back by itself; what it says until then goes with the first screen of the shell.
    await Promise.all([screen.until(/Looking for your shell/, 90_000), restart()])
    screen.type('clear', 'Enter')
    screen.type('echo "<$word>"', 'Enter')
    await screen.until(/^<4711>/m, 90_000)
    screen.type('exit 5', 'Enter')
    await screen.until(/status 5/)
    const { id, state } = (await list()).filter(({ detail }) => detail === '').at(-1)!
    expect(state).toBe('cut')
    const { out } = await played('shell', `goes on from ${id}`)
    expect(out).toMatch(/before[\s\S]*<4711>/)
    expect(out).toMatch(/exit 5/)
  })

  test('leaves a recording that is seen to be cut where the agent is killed, or somebody cuts it', async () => {
    const session = new Program(guest.command('ssh', 'hut', '--', 'echo here; sleep 600'))
    await session.until(/here/)
    await expect
      .poll(async () => (await list()).find(({ detail }) => detail.includes('here'))?.state)
      .toBe('open')
    await new Promise(resolve => setTimeout(resolve, 3_000))
    home.device.program.kill('SIGKILL')
    await home.device.program.ended()
    home.device.restart()
    await home.device.linked()
    const torn = (await list()).find(({ detail }) => detail.includes('here'))!
    expect(torn.state).toBe('cut')
    const { code, out, err } = await home.controller.box('play', 'kitchen', torn.id)
    expect([code, out]).toEqual([76, expect.stringContaining('here')])
    expect(err).toMatch(/end of the recording is missing/)
    const folder = join(home.device.state, 'recordings')
    const whole = (await list()).find(({ state }) => state === 'whole')!
    const path = join(folder, whole.id)
    const bytes = readFileSync(path)
    truncateSync(path, bytes.length - 10)
    expect((await home.controller.box('play', 'kitchen', whole.id)).code).toBe(76)
    appendFileSync(path, randomBytes(10))
    const changed = await home.controller.box('play', 'kitchen', whole.id)
    expect([changed.code, changed.err]).toEqual([76, expect.stringMatching(/broken: part \d/)])
    expect(readdirSync(folder).length).toBeGreaterThan(5)
    expect(await own('audit', 'kitchen', '--last', '200')).toMatch(
      /ada +recording +exit 0; \d+ parts, [0-9A-Z]{52}/,
    )
  })
})
