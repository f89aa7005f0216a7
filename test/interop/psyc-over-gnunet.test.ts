/**
 * Status and rooms with unmodified GNUnet daemons as the only hubs, by either engine: the device is a peer of our
 * own or lives on a daemon, and so do the people. One of them is away for a part of the talk.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp, folder, Program } from './program.ts'

const [NEAR, MIDDLE, FAR] = [1, 2, 3]
/** A daemon that finds no way to a peer says so after half a minute; then it is asked again. */
const ASK_AGAIN_MS = 100_000

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Record<string, unknown>)
const talk = (text: string) =>
  linesOf(text).flatMap(({ what, author, text }) =>
    what === 'message' ? [`${author}: ${text}`] : [],
  )

/** A bundle that changes nothing but a file of the test. */
function bundleIn(directory: string): string {
  const manifest = `bundle: 1\nname: motd\nroots: [${directory}]\nfiles: { ${directory}/motd: { from: motd } }\n`
  const bundle = folder('bundle')
  writeFileSync(join(bundle, 'bundle.yaml'), manifest)
  writeFileSync(join(bundle, 'motd'), 'changed\n')
  return bundle
}

withEachRelease('over the daemons', release => {
  const lab = new Lab(release)
  const engine = (daemon: number) => ['--mesh', 'gnunet', '--gnunet-conf', lab.conf(daemon)]
  beforeAll(() => lab.up(3, 'line'))
  afterEach(() => cleanUp())
  afterAll(() => lab.down())

  for (const device of ['a peer of our own', 'a daemon'] as const)
    test(`status and a room of a device on ${device}`, { timeout: 240_000 }, async () => {
      const hub = ['--hub-url', await lab.hello(MIDDLE)]
      const own = device === 'a daemon' ? [...engine(NEAR), ...hub] : hub
      const roots = [folder('motd')]
      const agent = new Agent('device', own, {}, { settings: { roots } })
      await agent.linked()
      const owner = new Controller('owner')
      await owner.must('init', '--ego', 'home')
      await owner.must('pair', await agent.pairingCode(), '--as', 'kitchen')

      // Everything with one request, by both engines; then what changes, and nothing else.
      for (const words of [[], engine(FAR)]) {
        const [whole] = linesOf(await owner.must('status', ...words, '--json'))
        expect(whole).toMatchObject({ name: 'kitchen', stale: false, error: null })
        expect(whole!.status).toMatchObject({ configuration: { generation: 0 } })
      }
      const watch = new Program(owner.command('status', 'kitchen', '--watch', '--json'))
      await watch.until(/"stale":false/)
      await owner.must('push', 'kitchen', bundleIn(roots[0]!))
      await watch.until(/"generation":1/)
      expect(watch.out).not.toContain('"stale":true')
      watch.kill('SIGINT')
      await watch.ended()

      // Ada is on a daemon, and away for a part of it.
      const ada = new Controller('ada')
      await ada.must('init', '--ego', 'ada')
      const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
      await owner.must('room', 'create', 'ops', '--on', 'kitchen')
      const invited = await owner.must('room', 'invite', 'ops', id, '--as', 'ada')
      const [, address] = /^box room enter (ops@\S+)\n$/.exec(invited)!
      const far = [...engine(FAR), '--timeout', `${ASK_AGAIN_MS / 1_000}`]
      await ada.must('room', 'say', address!, ...far, 'hello', 'from', 'ada')
      await owner.must('room', 'say', 'ops', 'one')
      await owner.must('room', 'say', 'ops', 'two')
      const entered = new Program(ada.command('room', 'enter', 'ops', ...far, '--json'))
      await entered.until(/"text":"two"/, ASK_AGAIN_MS)
      await owner.must('room', 'say', 'ops', 'three')
      await entered.until(/"text":"three"/)
      entered.child.stdin!.end()
      expect((await entered.ended()).code).toBe(0)
      // The device is asked, too: by Ada, who may not know how it is, while she is away again, and by its owner.
      await ada.must('room', 'say', 'ops', ...far, '@kitchen', 'status')
      const answered = async (pattern: RegExp) => {
        const last = async () => talk(await owner.must('room', 'history', 'ops', '--json')).at(-1)
        await expect.poll(last, { timeout: ASK_AGAIN_MS, interval: 1_000 }).toMatch(pattern)
        return (await last())!
      }
      const refusal = await answered(/^kitchen: I tell my status to whoever/)
      await owner.must('room', 'say', 'ops', '@kitchen', 'status')
      const status = await answered(/^kitchen: up /)
      const all = [
        ...['ada: hello from ada', 'home: one', 'home: two', 'home: three'],
        ...['ada: @kitchen status', refusal, 'home: @kitchen status', status],
      ]
      expect(talk(await owner.must('room', 'history', 'ops', '--json'))).toEqual(all)
      const hers = talk(await ada.must('room', 'history', 'ops', ...far, '--json'))
      // She calls the device as it calls itself.
      const calls = hers.find(line => line.endsWith(status.replace('kitchen', '')))!
      const byNick = calls.slice(0, calls.indexOf(':'))
      expect(hers.map(line => line.replace(`${byNick}: `, 'kitchen: '))).toEqual(all)
    })
})
