/** People who are recorded, at a real SSH server, and their recordings as an owner reads them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, ConnectConfig } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Recorder } from '../../agent/recorder.ts'
import type { Caller, SshServer } from '../../agent/ssh-server.ts'
import { openRecordingOf, recordingsOn } from '../../controller/recording.ts'
import { login as loginAsBox, type SshSession } from '../../controller/ssh-client.ts'
import { silentLog } from '../../src/base/log.ts'
import type { CastEvent } from '../../src/box/recording.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom as random } from '../../src/sys/random.ts'
import { type MemoryFiles, memoryFiles } from './memory-files.ts'
import {
  CALLER,
  ended,
  exec,
  KEYS,
  login,
  newServer,
  run,
  shell,
  streamPair,
  subsystem,
} from './ssh-fixture.ts'

const device = ZoneSecret.generate('EDKEY', random)
let files: MemoryFiles
let notes: string[]
let recorder: Recorder
let server: SshServer
let owner: SshSession
let folder: string

const note: Caller['note'] = (what, detail, result) =>
  void notes.push(`${what} ${detail} ${result}`)

const entering = { user: 'x', privateKey: KEYS.private, clock, accepts: () => true }

/** Somebody whose grant says that they are recorded. */
const enter = (config: Partial<ConnectConfig> = {}, some: Partial<Caller> = {}): Promise<Client> =>
  login(server, { name: 'ada', isRecorded: () => true, note, ...some }, config)

beforeEach(async () => {
  files = memoryFiles()
  notes = []
  folder = mkdtempSync(join(tmpdir(), 'box-recorded-'))
  recorder = new Recorder({
    ...{
      files,
      device: { secret: device },
      clock,
      random,
      log: silentLog,
      audit: { note: () => {} },
    },
    ...{ sizeMax: 1_000_000, ageMaxMs: 1e9, withInput: false },
  })
  server = newServer(clock, recorder)
  const [near, far] = streamPair()
  void server.serve(far, CALLER)
  owner = await loginAsBox({ ...entering, stream: near })
})

afterEach(async () => {
  owner.destroy()
  await server.close()
  recorder.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The only recording there is, once its session is over. */
async function recorded(): Promise<{ events: CastEvent[]; text: string; about: object }> {
  await expect
    .poll(async () => (await recordingsOn(owner)).map(one => one.state))
    .toEqual(['whole'])
  const [entry] = await recordingsOn(owner)
  const { about, events } = await openRecordingOf(owner, [device.zone], entry!.id)
  const all: CastEvent[] = []
  for await (const event of events) all.push(event)
  const text = all
    .filter(([, kind]) => kind === 'o')
    .map(([, , data]) => data)
    .join('')
  return { events: all, text, about }
}

const hex = (bytes: Uint8Array) => Buffer.from(sha256(bytes)).toString('hex')

describe('whoever is recorded', () => {
  test('is told when logging in, and nobody else is', async () => {
    const told: string[] = []
    const listen = (client: Client) => client.on('banner', text => void told.push(text))
    const [near, far] = streamPair()
    void server.serve(far, { ...CALLER, isRecorded: () => true })
    const { Client: New } = (await import('ssh2')).default
    for (const stream of [near]) {
      const client = listen(new New())
      await new Promise<void>(resolve => {
        client.once('ready', () => resolve())
        client.connect({ sock: stream, username: 'x', privateKey: KEYS.private } as ConnectConfig)
      })
      client.end()
    }
    expect(told).toEqual([expect.stringMatching(/records what you do/)])
  })

  test('is told with each command where the grant has changed since the login', async () => {
    let isRecorded = false
    const client = await enter({}, { isRecorded: () => isRecorded })
    expect((await run(client, 'true')).err.toString()).toBe('')
    isRecorded = true
    for (let round = 0; round < 2; round += 1) {
      const { out, err } = await run(client, 'echo out; echo err >&2')
      expect(out.toString()).toBe('out\n')
      expect(err.toString()).toMatch(/^This device records what you do.*\nerr\n$/)
    }
    client.end()
    const told = await enter()
    expect((await run(told, 'true')).err.toString()).toBe('')
    told.end()
  })

  test('has their shell recorded, with its sizes and its end, and not what is typed unseen', async () => {
    const client = await enter()
    const channel = await shell(client, { cols: 90, rows: 20 })
    const over = ended(channel)
    channel.write("stty -echo; echo re''ady\n")
    let seen = ''
    channel.on('data', (chunk: Buffer) => {
      seen += chunk
    })
    const says = (line: RegExp) => expect.poll(() => seen, { timeout: 15_000 }).toMatch(line)
    await says(/^ready/m)
    channel.setWindow(33, 101, 0, 0)
    // A line at a time: what is typed while a shell changes its terminal's mode may be lost (termios(3)).
    channel.write("printf 'asks\\n'; read secret; echo ta''ken\n")
    await says(/^asks/m)
    channel.write('hunter2\n')
    await says(/^taken/m)
    channel.write("stty size; echo gr''üße; exit 3\n")
    const { out, code } = await over
    expect(code).toBe(3)
    expect(out.toString()).toMatch(/This session is recorded \([0-9a-z]{13}\)\.\r\n/)
    const { events, text, about } = await recorded()
    expect(about).toMatchObject({ who: 'ada', what: 'shell', columns: 90, rows: 20 })
    expect(text).toMatch(/33 101\r\ngrüße\r\n/)
    expect(events).toContainEqual([expect.any(Number), 'r', '101x33'])
    expect(events.at(-1)).toEqual([expect.any(Number), 'm', 'exit 3'])
    expect(JSON.stringify(events)).not.toContain('hunter2')
    client.end()
  })

  test('has a command recorded: what it printed, and how much went in, with its hash', async () => {
    const client = await enter()
    const channel = await exec(client, 'cat; echo no >&2; exit 4')
    const over = ended(channel)
    channel.end('one\ntwo\n')
    const { out, err, code } = await over
    expect([out.toString(), err.toString(), code]).toEqual(['one\ntwo\n', 'no\n', 4])
    const { events, text, about } = await recorded()
    expect(about).toMatchObject({ what: 'exec', detail: 'cat; echo no >&2; exit 4' })
    expect(text).toContain('one\r\ntwo\r\n')
    expect(text).toContain('no\r\n')
    const markers = events.filter(([, kind]) => kind === 'm').map(([, , data]) => data)
    expect(markers).toContain(`standard input: 8 bytes, sha256 ${hex(Buffer.from('one\ntwo\n'))}`)
    expect(markers.at(-1)).toBe('exit 4')
    client.end()
  })

  test('has of what is no text the size and the hash, and every byte arrives', async () => {
    const client = await enter()
    const bytes = Buffer.from(random.bytes(300_000))
    writeFileSync(join(folder, 'b'), bytes)
    const { out } = await run(client, `cat ${folder}/b`)
    expect(out.equals(bytes)).toBe(true)
    const { events, text } = await recorded()
    expect(text).toMatch(/standard output is no text from here on, and is left out/)
    expect(text.length).toBeLessThan(100_000)
    expect(JSON.stringify(events)).toContain(`standard output: 300000 bytes, sha256 ${hex(bytes)}`)
    client.end()
  })

  test('hides nothing behind the name of a program that carries files', async () => {
    const client = await enter()
    const channel = await exec(client, 'scp -f /nowhere; echo hidden')
    const over = ended(channel)
    channel.end()
    await over
    expect((await recorded()).text).toContain('hidden')
    client.end()
  })

  test('has what they do with files recorded, and not what is in them', async () => {
    const client = await enter()
    const bytes = Buffer.from(random.bytes(200_000))
    writeFileSync(join(folder, 'here'), bytes)
    const sftp = await new Promise<import('ssh2').SFTPWrapper>((resolve, reject) =>
      client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
    )
    const done = (work: (done: (error: Error | null | undefined) => void) => void) =>
      new Promise<Error | null>(resolve => work(error => resolve(error ?? null)))
    await done(end => sftp.fastPut(join(folder, 'here'), `${folder}/there`, end))
    await done(end => sftp.rename(`${folder}/there`, `${folder}/then`, end))
    expect(await done(end => sftp.unlink(`${folder}/none`, end))).toBeInstanceOf(Error)
    await done(end => sftp.fastGet(`${folder}/then`, join(folder, 'back'), end))
    expect(readFileSync(join(folder, 'back')).equals(bytes)).toBe(true)
    client.end()
    const { text, about } = await recorded()
    expect(about).toMatchObject({ what: 'files' })
    expect(text).toContain(`open ${folder}/there to write, create, empty\r\n`)
    expect(text).toContain(`close ${folder}/there: wrote 200000 bytes`)
    expect(text).toContain(`rename ${folder}/there to ${folder}/then\r\n`)
    expect(text).toMatch(/remove \S+none: failed, /)
    expect(text).toMatch(/close \S+then: read 200000 bytes/)
  })

  test('does nothing at all where nothing can be recorded, and reads why', async () => {
    files.isFull = true
    const client = await enter()
    const { out, err, code } = await run(client, 'echo done; touch /tmp/never')
    expect([out.toString(), code]).toEqual(['', 126])
    expect(err.toString()).toMatch(/must be recorded, and cannot be/)
    const channel = await shell(client, { cols: 80, rows: 24 })
    expect((await ended(channel)).code).toBe(126)
    await expect(
      new Promise((resolve, reject) =>
        client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
      ),
    ).rejects.toThrow()
    expect(notes).toContainEqual(expect.stringMatching(/^exec .* refused: not recorded/))
    expect(await recordingsOn(owner)).toEqual([])
    client.end()
  })

  test('is cut off when the disk is full in the middle, and reads why', async () => {
    const client = await enter()
    const channel = await shell(client, { cols: 80, rows: 24 })
    const over = ended(channel)
    channel.write('echo here; files\n')
    await new Promise(resolve => channel.once('data', resolve))
    files.isFull = true
    const again = setInterval(() => channel.write('echo again\n'), 100)
    const { err } = await over
    clearInterval(again)
    expect(err.toString()).toMatch(/must be recorded, and cannot be/)
    client.end()
  })

  test('cannot read recordings, nor see that there are any', async () => {
    const client = await enter({}, { allows: right => right !== 'admin' })
    await run(client, 'true')
    const [id] = recorder.ids()
    for (const name of ['box-recordings', `box-recording:${id}`])
      await expect(subsystem(client, name)).rejects.toThrow()
    client.end()
  })
})

describe('an owner', () => {
  test('sees that the end of a recording was cut off, and that a part was changed', async () => {
    const client = await enter()
    await run(client, 'echo hello')
    await recorded()
    client.end()
    const [id] = recorder.ids() as [string]
    const whole = files.content.get(id)!
    const read = async () => {
      const again = new Recorder({
        ...{
          files,
          device: { secret: device },
          clock,
          random,
          log: silentLog,
          audit: { note: () => {} },
        },
        ...{ sizeMax: 1_000_000, ageMaxMs: 1e9, withInput: false },
      })
      const other = newServer(clock, again)
      const [near, far] = streamPair()
      void other.serve(far, CALLER)
      const session = await loginAsBox({ ...entering, stream: near })
      try {
        const { events } = await openRecordingOf(session, [device.zone], id)
        for await (const _ of events);
        return 'whole'
      } catch (error) {
        return (error as Error).message
      } finally {
        session.destroy()
        await other.close()
        again.close()
      }
    }
    expect(await read()).toBe('whole')
    const [last] = [whole.length - 120]
    files.content.set(id, whole.slice(0, last))
    expect(await read()).toMatch(/end of the recording is missing/)
    const changed = whole.slice()
    changed[last]! ^= 1
    files.content.set(id, changed)
    expect(await read()).toMatch(/broken: part \d+ is not signed by the device/)
  })

  test('is told where there is no such recording', async () => {
    await expect(openRecordingOf(owner, [device.zone], '06fzv8k2m0a4g')).rejects.toMatchObject({
      code: 'RECORDING_UNKNOWN',
    })
  })

  test('who types what is not recorded by default is recorded where the device says so', async () => {
    recorder.close()
    await server.close()
    recorder = new Recorder({
      ...{
        files,
        device: { secret: device },
        clock,
        random,
        log: silentLog,
        audit: { note: () => {} },
      },
      ...{ sizeMax: 1_000_000, ageMaxMs: 1e9, withInput: true },
    })
    server = newServer(clock, recorder)
    const [near, far] = streamPair()
    void server.serve(far, CALLER)
    owner = await loginAsBox({ ...entering, stream: near })
    const client = await enter()
    const channel = await exec(client, 'cat >/dev/null')
    const over = ended(channel)
    channel.end('secret\n')
    await over
    expect((await recorded()).events).toContainEqual([expect.any(Number), 'i', 'secret\r\n'])
    client.end()
  })
})
