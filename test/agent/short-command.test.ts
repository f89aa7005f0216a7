/** Commands that are asked for and answered in one go: our client at a real SSH server of the agent. */

import { randomBytes } from 'node:crypto'
import ssh2, { type Client } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { Recorder } from '../../agent/recorder.ts'
import type { Recording } from '../../agent/recording.ts'
import { HELD_MS } from '../../agent/short-answer.ts'
import type { Caller, SshServer } from '../../agent/ssh-server.ts'
import type { Running } from '../../controller/remote-process.ts'
import { login, type SshSession } from '../../controller/ssh-client.ts'
import type { Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { CommandErrors, CommandExited, CommandOutput } from '../../src/box/messages.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { askShortly } from '../../src/box/short-command.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { channelPair } from '../sim/fake-channel.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { memoryFiles } from './memory-files.ts'
import { CALLER, connectOver, gone, hostKey, KEYS, newServer, streamPair } from './ssh-fixture.ts'

const NOTHING = new Uint8Array(0)

/** All that comes of it. */
async function allOf(running: Running) {
  const said = { out: [] as Uint8Array[], err: [] as Uint8Array[] }
  running.output.on('data', piece => said.out.push(piece))
  running.errors.on('data', piece => said.err.push(piece))
  const ends = [running.output, running.errors].map(
    stream => new Promise(resolve => stream.once('end', resolve)),
  )
  const code = await running.ended
  await Promise.all(ends)
  return { out: Buffer.concat(said.out), err: Buffer.concat(said.err), code }
}

const enter = (server: SshServer, caller: Partial<Caller> = {}): Promise<SshSession> => {
  const [near, far] = streamPair()
  void server.serve(far, { ...CALLER, ...caller })
  return login({
    ...{ stream: near, user: 'x', privateKey: KEYS.private, clock: systemClock },
    accepts: () => true,
  })
}

describe('a short command', () => {
  let server: SshServer
  let ssh: SshSession
  let notes: string[]

  beforeEach(() => {
    server = newServer()
    notes = []
  })
  afterEach(async () => {
    ssh?.destroy()
    await server.close()
  })

  const note: Caller['note'] = (what, detail, result) =>
    void notes.push(`${what} ${detail} ${result}`)
  const open = async (caller: Partial<Caller> = {}) => {
    ssh = await enter(server, { note, ...caller })
    notes.length = 0
  }
  const run = async (line: string, input: Uint8Array = NOTHING) =>
    allOf(await ssh.command(line, input))

  it.for([0, 1, 3, 255])('exits with %i', async code => {
    await open()
    expect((await run(`exit ${code}`)).code).toBe(code)
    expect(notes).toEqual([`exec exit ${code} begun`, `exec exit ${code} exit ${code}`])
  })

  it.for([
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
    ['USR1', 138],
    ['BUS', 135],
  ] as const)('is ended by SIG%s', async ([name, code]) => {
    await open()
    expect((await run(`kill -${name} $$`)).code).toBe(code)
    expect(notes.at(-1)).toMatch(new RegExp(` signal ${name}$`))
  })

  it('has its errors apart from its output, and its input whole', async () => {
    await open()
    const bytes = randomBytes(9_000)
    const { out, err } = await run('cat; echo err >&2', bytes)
    expect([out.equals(bytes), String(err)]).toEqual([true, 'err\n'])
  })

  it('without input reads its end at once, also from /dev/stdin', async () => {
    await open()
    expect(String((await run('cat; cat /dev/stdin; echo end')).out)).toBe('end\n')
  })

  it('may print much, and complain much at once', async () => {
    await open()
    const lines = 200_000
    const { out, err, code } = await run(`seq 1 ${lines} & seq 1 ${lines} >&2; wait`)
    const expected = Array.from({ length: lines }, (_, i) => `${i + 1}\n`).join('')
    expect([String(out) === expected, String(err) === expected, code]).toEqual([true, true, 0])
  })

  it.for([
    ['goes on for a while', 'echo soon; echo bad >&2; sleep 0.3; echo late; exit 3', 3],
    ['leaves somebody behind who goes on', '(sleep 0.3; echo late) & echo soon; echo bad >&2', 0],
    ['closes its output and goes on', 'echo soon; echo late; exec >&-; sleep 0.3; echo bad >&2', 0],
  ] as const)('that %s has all that it prints shown', async ([, line, wanted]) => {
    await open()
    const { out, err, code } = await run(line)
    expect([String(out), String(err), code]).toEqual(['soon\nlate\n', 'bad\n', wanted])
  })

  it('waits for whoever reads slowly', async () => {
    await open()
    const running = await ssh.command('head -c 30000000 /dev/zero; echo done >&2', NOTHING)
    let isDone = false
    running.errors.once('data', () => {
      isDone = true
    })
    await new Promise(resolve => setTimeout(resolve, 700))
    expect(isDone).toBe(false)
    expect((await allOf(running)).out).toHaveLength(30_000_000)
  })

  it('is hung up when we want no more of it', async () => {
    await open()
    const running = await ssh.command('echo $$; exec sleep 60', NOTHING)
    const pid = Number(await new Promise(resolve => running.output.once('data', resolve)))
    running.close()
    await gone(pid)
    await expect(running.ended).rejects.toMatchObject({ code: 'CHANNEL_LOST' })
  })

  it('is hung up when the connection is lost', async () => {
    await open()
    const running = await ssh.command('echo $$; exec sleep 60', NOTHING)
    const pid = Number(await new Promise(resolve => running.output.once('data', resolve)))
    ssh.destroy()
    await gone(pid)
    await expect(running.ended).rejects.toMatchObject({ code: 'CHANNEL_LOST' })
  })

  it('that may not be is refused, once, and not tried another way', async () => {
    await open({ scope: () => ({ ...WHOLE_SCOPE, commands: ['uptime'] }) })
    const running = await ssh.command('echo here', NOTHING)
    await expect(running.ended).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    expect(notes).toEqual(['exec echo here refused'])
    expect((await run('uptime')).code).toBe(0)
  })

  it('of somebody who may only forward is refused', async () => {
    await open({ allows: right => right === 'forward' })
    const running = await ssh.command('echo here', NOTHING)
    await expect(running.ended).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  })

  it('of somebody who is recorded is, and is not run where that cannot be', async () => {
    await open({ isRecorded: () => true })
    const { err, code } = await run('echo here')
    expect([code, String(err)]).toEqual([126, expect.stringContaining('must be recorded')])
    expect(notes[0]).toMatch(/^exec echo here refused: not recorded/)
    ssh.destroy()
    await server.close()
    const begun: Partial<Recording>[] = []
    const device = { secret: ZoneSecret.generate('EDKEY', systemRandom) }
    const recorder = new Recorder({
      ...{ files: memoryFiles(), device, clock: systemClock, random: systemRandom },
      ...{ log: silentLog, audit: { note: () => {} }, sizeMax: 1e6, ageMaxMs: 1e9 },
      withInput: false,
    })
    const begin = recorder.begin.bind(recorder)
    recorder.begin = about => {
      const recording = begin(about)
      begun.push(recording)
      return recording
    }
    server = newServer(systemClock, recorder)
    await open({ isRecorded: () => true })
    expect(String((await run('echo seen')).out)).toBe('seen\n')
    expect(begun).toHaveLength(1)
    recorder.close()
  })

  it('that another person must approve waits for that, or says why it was not run', async () => {
    await open({ scope: () => ({ ...WHOLE_SCOPE, approved: true }) })
    const running = await ssh.command('echo here', Buffer.from('this'))
    await expect(running.ended).rejects.toMatchObject({ code: 'APPROVAL_DENIED' })
  })

  it('counts among the sessions of its connection', async () => {
    await open()
    const ten = await Promise.all(
      Array.from({ length: 10 }, () => ssh.command('echo up; exec sleep 60', NOTHING)),
    )
    await Promise.all(ten.map(one => new Promise(resolve => one.output.once('data', resolve))))
    await expect(ssh.command('echo one too many', NOTHING)).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    })
    for (const one of ten) one.close()
  })

  it('runs beside others over the same connection', async () => {
    await open()
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => run(`sleep 0.0${i}; echo ${i}; exit ${i}`)),
    )
    expect(all.map(({ out, code }) => [String(out), code])).toEqual(
      Array.from({ length: 8 }, (_, i) => [`${i}\n`, i]),
    )
  })

  it('one after the other, hundreds lose nothing', async () => {
    await open()
    for (let i = 0; i < 300; i++) expect(String((await run(`echo ${i}`)).out)).toBe(`${i}\n`)
  })
})

describe('a path that stock ssh could ask for', () => {
  let server: SshServer
  let client: Client

  beforeEach(async () => {
    server = newServer()
    const [near, far] = streamPair()
    void server.serve(far, CALLER)
    client = await connectOver(near, { strictVendor: false } as object)
  })
  afterEach(async () => {
    client.end()
    await server.close()
  })

  it('that begins as a command and is none is refused', async () => {
    const mark = askShortly({ line: '', input: NOTHING })!.replace(/\{.*/, '')
    const error = await new Promise(resolve =>
      client.openssh_forwardOutStreamLocal(`${mark}nonsense`, resolve),
    )
    expect(error).toBeInstanceOf(Error)
  })
})

/** A device that answers every short command so. */
async function answering(bytes: Uint8Array): Promise<SshSession> {
  const [near, far] = streamPair()
  const device = new ssh2.Server({ hostKeys: [hostKey.secret] }, connection => {
    connection.on('authentication', context => context.accept())
    connection.on('openssh.streamlocal', accept => {
      const channel = accept()
      channel.write(bytes)
    })
    connection.on('error', () => {})
  })
  device.injectSocket(far as never)
  return await login({
    ...{ stream: near, user: 'x', privateKey: KEYS.private, clock: systemClock },
    accepts: () => true,
  })
}

describe('a device that', () => {
  test('answers nonsense is not listened to any more', async () => {
    for (const bytes of [[0, 1, 2, 3, 4], [0, 5, 0xbd, 0x72, 1], [0xff]]) {
      const ssh = await answering(Uint8Array.from(bytes))
      const { ended } = await ssh.command('echo here', NOTHING)
      if (bytes.length === 1) ssh.destroy()
      const code = bytes.length === 1 ? 'CHANNEL_LOST' : 'WIRE_MALFORMED'
      await expect(ended).rejects.toMatchObject({ code })
      ssh.destroy()
    }
  })

  test('complains more than is read waits, whatever it prints', async () => {
    const piece = { bytes: new Uint8Array(8_000) }
    const [print, complain] = [CommandOutput.encode(piece), CommandErrors.encode(piece)]
    const said = Array.from({ length: 500 }, () => [print, complain]).flat()
    const ssh = await answering(Buffer.concat([...said, CommandExited.encode({ code: 0 })]))
    const running = await ssh.command('echo here', NOTHING)
    let read = 0
    running.output.on('data', (bytes: Uint8Array) => {
      read += bytes.length
    })
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(running.errors.readableLength).toBeLessThan(100_000)
    expect(read).toBeLessThan(100_000)
    running.errors.resume()
    expect(await running.ended).toBe(0)
    await expect.poll(() => read).toBe(500 * 8_000)
    ssh.destroy()
  })
})

test('a device that does not know how is asked the other way, and asked no more', async () => {
  const [near, far] = streamPair()
  let refused = 0
  const device = new ssh2.Server({ hostKeys: [hostKey.secret] }, connection => {
    connection.on('authentication', context => context.accept())
    connection.on('openssh.streamlocal', (_accept, reject) => {
      refused++
      reject()
    })
    connection.on('session', accept =>
      accept().on('exec', (start, _reject, { command }) => {
        const channel = start()
        channel.on('data', (piece: Buffer) => channel.write(`${command}: ${piece}`))
        channel.on('end', () => {
          channel.exit(4)
          channel.end()
        })
      }),
    )
    connection.on('error', () => {})
  })
  device.injectSocket(far as never)
  const ssh = await login({
    ...{ stream: near, user: 'x', privateKey: KEYS.private, clock: systemClock },
    accepts: () => true,
  })
  for (let i = 0; i < 3; i++) {
    const { out, code } = await allOf(await ssh.command('say', Buffer.from('this')))
    expect([String(out), code]).toEqual(['say: this', 4])
  }
  expect(refused).toBe(1)
  ssh.destroy()
})

describe('messages of the mesh', () => {
  let server: SshServer
  let ssh: SshSession
  let said: { device: number; owner: number }

  /** How fast this machine is says nothing about messages: the device waits for its command, and our last word for the next. */
  const patient: Clock = {
    ...systemClock,
    after: (ms, run) => systemClock.after(ms === HELD_MS || ms === 1_000 ? 30_000 : ms, run),
  }

  const start = async (ours: Clock) => {
    server = newServer(patient)
    const net = new FakeNet({ clock: systemClock, latencyMs: 0 })
    const [owner, device] = [net.peer(), net.peer()]
    const [near, far] = channelPair(net, owner, device, [])
    void server.serve(asDuplex(far, systemClock), CALLER)
    ssh = await login({
      ...{ stream: asDuplex(near, systemClock), user: 'x', privateKey: KEYS.private, clock: ours },
      accepts: () => true,
    })
    said = { device: 0, owner: 0 }
    net.tamper = (message, from) => {
      said[from === device.self ? 'device' : 'owner']++
      return message
    }
  }

  afterEach(async () => {
    ssh.destroy()
    await server.close()
  })

  it('are one there and one back where one command comes after the other', async () => {
    await start(patient)
    for (let i = 1; i <= 5; i++) {
      const { out, code } = await allOf(await ssh.command('echo here', NOTHING))
      expect([String(out), code]).toEqual(['here\n', 0])
      expect(said).toEqual({ device: i, owner: i })
    }
  })

  it('are no more after a command whose input did not fit', async () => {
    await start(patient)
    const { out } = await allOf(await ssh.command('wc -c', new Uint8Array(30_000)))
    expect(Number(String(out))).toBe(30_000)
    expect(await ssh.answers(systemClock, 5_000)).toBe(true)
    said = { device: 0, owner: 0 }
    await allOf(await ssh.command('echo here', NOTHING))
    expect(said).toEqual({ device: 1, owner: 1 })
  })

  it('are one more where nothing follows, and what is asked for then does not wait', async () => {
    await start(systemClock)
    await allOf(await ssh.command('echo here', NOTHING))
    await expect.poll(() => said, { timeout: 5_000 }).toEqual({ device: 1, owner: 2 })
    await allOf(await ssh.command('echo here', NOTHING))
    expect(await ssh.answers(systemClock, 5_000)).toBe(true)
  })
})
