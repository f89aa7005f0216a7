/**
 * Every right that was not granted is refused, whatever a client says: these clients ask for everything,
 * and sign whatever they like.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AUDIT_BEGIN, type AuditEntry, firstBroken } from '../../src/box/audit.ts'
import {
  askAudit,
  askGrant,
  askGrants,
  askInfo,
  askRevoke,
  askRooms,
  askRotateHostKey,
} from '../../src/box/control.ts'
import { RIGHTS, type Right } from '../../src/box/grant.ts'
import { type GrantStatement, signGrant } from '../../src/box/grant-statement.ts'
import { signJob } from '../../src/box/job-statement.ts'
import { PushTalk } from '../../src/box/push-talk.ts'
import { signRevocation } from '../../src/box/revocation.ts'
import type { RoomRequest } from '../../src/box/room-talk.ts'
import { type Scope, WHOLE_SCOPE } from '../../src/box/scope.ts'
import { encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { Home } from './home.ts'
import { connectOver, exec, KEYS, publicBlob, run, shell } from './ssh-fixture.ts'

let home: Home
let folder: string
let target: Server
let guest: ZoneSecret
/** Numbers of statements grow, also within a millisecond. */
let number = 0

beforeEach(async () => {
  home = new Home()
  await home.start()
  await home.pair()
  guest = ZoneSecret.generate('EDKEY', systemRandom)
  number = Date.now() - 100_000
  folder = mkdtempSync(join(tmpdir(), 'box-matrix-'))
  target = createServer(socket => void socket.on('error', () => {}).end('reached'))
  await new Promise<void>(resolve => target.listen(join(folder, 's'), resolve))
})

afterEach(async () => {
  await home.stop()
  target.close()
  rmSync(folder, { recursive: true, force: true })
})

const statement = (rights: readonly Right[], some: Partial<GrantStatement> = {}) => ({
  ...{ device: home.agent.device.zone, holder: guest.zone, number: ++number, until: null },
  ...{ name: 'ada', rights, scope: WHOLE_SCOPE, ...some },
})

const grant = async (rights: readonly Right[], scope: Partial<Scope> = {}, until?: number) => {
  const said = statement(rights, {
    scope: { ...WHOLE_SCOPE, ...scope },
    until: until ?? null,
  })
  await askGrant(await home.open('control'), signGrant(home.owner, said), { clock })
}

const enter = async (as = guest) => {
  const announced = { publicKey: publicBlob(KEYS.public), deviceName: '', user: null }
  const session = await home.open('ssh', as, encodeSshAnnouncement(announced))
  return connectOver(asDuplex(session.channel, clock), { strictVendor: false } as object)
}

const worked = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )

/** What a client can try, by the right that it takes. */
const attempts: Readonly<Record<string, readonly [Right, () => Promise<unknown>]>> = {
  'asking what it is': [
    'status',
    async () => askInfo(await home.open('control', guest), { clock }),
  ],
  'a shell': ['shell', async () => (await shell(await enter(), { cols: 80, rows: 24 })).end()],
  'a shell without a terminal': ['shell', async () => (await shell(await enter(), false)).end()],
  'a command': ['exec', async () => run(await enter(), 'true')],
  'a command on a terminal': ['exec', async () => run(await enter(), 'true', { pty: true })],
  'a command for later': ['exec', async () => leaveJob({ every: null })],
  'a command that comes again': ['exec', async () => leaveJob({ every: '1h' })],
  files: ['files', async () => asked(await enter(), 'sftp')],
  'a connection': ['forward', async () => asked(await enter(), 'lead')],
  'a listener': ['forward', async () => asked(await enter(), 'listen')],
  'the list of grants': [
    'admin',
    async () => askGrants(await home.open('control', guest), 0, { clock }),
  ],
  'the audit journal': [
    'admin',
    async () => askAudit(await home.open('control', guest), 0, { clock }),
  ],
  'the list of shells to watch': ['watch', async () => asked(await enter(), 'shells')],
  'a look at the shell of somebody': ['watch', async () => asked(await enter(), 'watch')],
  'the list of recordings': ['admin', async () => asked(await enter(), 'recordings')],
  'a recording': ['admin', async () => asked(await enter(), 'recording')],
  'another host key': [
    'admin',
    async () => askRotateHostKey(await home.open('control', guest), { clock }),
  ],
  'the end of a key': [
    'admin',
    async () => {
      const stranger = ZoneSecret.generate('EDKEY', systemRandom)
      const signed = signRevocation(guest, stranger.zone, Date.now())
      await askRevoke(await home.open('control', guest), signed, { clock })
    },
  ],
  'a room': ['admin', async () => askForRoom()],
  'the list of rooms': [
    'admin',
    async () => askRooms(await home.open('control', guest), { do: 'list' }, { clock }),
  ],
}

/** Signed by the guest, and by nobody else. */
const leaveJob = async ({ every }: { every: string | null }) => {
  const talk = new PushTalk((await home.open('jobs', guest)).channel, clock)
  const signed = signJob(guest, {
    ...{ device: home.agent.device.zone, number: ++number, expiresAt: Date.now() + 60_000 },
    demand: { do: 'run', line: 'true', input: new Uint8Array(0), limitSeconds: 9, every },
  })
  try {
    await talk.give('job', signed)
  } finally {
    talk.close()
  }
}

const askForRoom = async () =>
  askRooms(
    await home.open('control', guest),
    { do: 'create', name: 'ops', nick: 'ada', isOpen: false, isDeniable: false },
    { clock },
  )

type Asked = 'shells' | 'watch' | 'sftp' | 'lead' | 'listen' | 'recordings' | 'recording'

const asked = (client: Awaited<ReturnType<typeof enter>>, what: Asked) =>
  new Promise<void>((resolve, reject) => {
    const done = (error: unknown) => (error ? reject(error) : resolve())
    if (what === 'sftp') client.sftp(done)
    if (what === 'shells') client.subsys('box-watch', done)
    if (what === 'watch') client.subsys('box-watch:1', done)
    if (what === 'recordings') client.subsys('box-recordings', done)
    if (what === 'recording') client.subsys('box-recording:06fzv8k2m0a4g', done)
    if (what === 'lead') client.openssh_forwardOutStreamLocal(join(folder, 's'), done)
    if (what === 'listen') client.openssh_forwardInStreamLocal(join(folder, 'l'), done)
  })

describe('with one right', () => {
  test.for(RIGHTS)('%s, nothing else is possible', async right => {
    await grant([right])
    for (const [name, [needed, attempt]] of Object.entries(attempts))
      expect(await worked(attempt()), name).toBe(needed === right)
  })

  test('none of it, nothing at all', async () => {
    for (const [name, [, attempt]] of Object.entries(attempts))
      expect(await worked(attempt()), name).toBe(false)
  })
})

describe('a scope', () => {
  test('names the commands', async () => {
    await grant(['exec'], { commands: ['echo one', 'echo two *'] })
    const client = await enter()
    expect((await run(client, 'echo one')).out.toString()).toBe('one\n')
    expect((await run(client, 'echo two 2')).out.toString()).toBe('two 2\n')
    for (const command of ['echo', 'echo one; id', 'echo two $(id)', 'id'])
      await expect(exec(client, command), command).rejects.toThrow()
    client.end()
  })

  test('names the directories', async () => {
    await grant(['files'], { paths: [folder] })
    const client = await enter()
    const sftp = await new Promise<import('ssh2').SFTPWrapper>((resolve, reject) =>
      client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
    )
    const list = (path: string) =>
      new Promise((resolve, reject) =>
        sftp.readdir(path, (error, entries) => (error ? reject(error) : resolve(entries))),
      )
    await list(folder)
    await expect(list('/etc')).rejects.toThrow(/your grant does not reach/)
    client.end()
  })

  test('names the users: of somebody else than the agent, nothing runs', async () => {
    await grant(['exec', 'shell'], { users: ['nobody'] })
    const client = await enter()
    await expect(exec(client, 'true')).rejects.toThrow()
    await expect(shell(client, false)).rejects.toThrow()
    client.end()
  })
})

describe('a client that lies', () => {
  const say = async (by: ZoneSecret, some: Partial<GrantStatement>, as = guest) =>
    askGrant(await home.open('control', as), signGrant(by, statement(RIGHTS, some)), { clock })

  test('gets no right by signing for itself, by old words of the owner, or with all but admin', async () => {
    await grant(RIGHTS.filter(right => right !== 'admin'))
    await expect(say(guest, {})).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    await expect(say(home.owner, {})).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    const other = ZoneSecret.generate('EDKEY', systemRandom)
    await expect(say(guest, { holder: other.zone })).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    })
    const noise = askGrant(await home.open('control', guest), systemRandom.bytes(200), { clock })
    await expect(noise).rejects.toMatchObject({ code: 'STATE_UNEXPECTED' })
    expect(await worked(attempts['the list of grants']![1]())).toBe(false)
  })
})

describe('what ends', () => {
  test('ends open sessions at once where it is revoked', async () => {
    await grant(['shell', 'exec'])
    const client = await enter()
    const channel = await shell(client, { cols: 80, rows: 24 })
    channel.resume()
    const closed = new Promise(resolve => client.once('close', () => resolve(null)))
    await grant([])
    await closed
    for (const [name, [, attempt]] of Object.entries(attempts))
      expect(await worked(attempt()), name).toBe(false)
  })

  test('lets nobody in after its time, and no open connection do anything more', async () => {
    await grant(['exec'], {}, Date.now() + 1_500)
    const client = await enter()
    expect((await run(client, 'exit 5')).code).toBe(5)
    await new Promise(resolve => setTimeout(resolve, 1_600))
    await expect(exec(client, 'true')).rejects.toThrow()
    expect(await worked(enter())).toBe(false)
    client.end()
  })
})

test('the audit journal has who did what, by which key, with which result', async () => {
  await grant(['exec'])
  const client = await enter()
  await run(client, 'exit 3')
  await expect(shell(client, false)).rejects.toThrow()
  client.end()
  await grant([])
  const { entries } = await askAudit(await home.open('control'), 0, { clock })
  const all = entries as AuditEntry[]
  expect(firstBroken(AUDIT_BEGIN, all)).toBeNull()
  expect(
    all.map(({ who, what, detail, result }) => [who, what, detail.slice(0, 7), result]),
  ).toEqual([
    ['home', 'grant', expect.anything(), 'done'],
    ['ada', 'login', '', 'done'],
    ['ada', 'exec', 'exit 3', 'begun'],
    ['ada', 'exec', 'exit 3', 'exit 3'],
    ['ada', 'shell', '', 'refused'],
    ['home', 'grant', expect.anything(), 'done'],
  ])
  expect(all[1]!.key).toMatch(/^\w{16}$/)
})

describe('a room', () => {
  test('lets in who is invited, for whom nothing else is possible; all of it is in the journal', async () => {
    await grant(['admin'])
    const [room] = await askForRoom()
    await grant([])
    const member = ZoneSecret.generate('EDKEY', systemRandom)
    const ask = async (request: RoomRequest) =>
      askRooms(await home.open('control'), request, { clock })
    await expect(home.open('room', member, room!.place)).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    })
    await ask({ do: 'invite', place: room!.place, zone: member.zone, nick: 'bert' })
    const session = await home.open('room', member, room!.place)
    session.channel.close()
    guest = member
    for (const [name, [, attempt]] of Object.entries(attempts))
      expect(await worked(attempt()), name).toBe(false)
    // Whoever made it is still invited: being in a room is no right, and no right is being in a room.
    const removed = await ask({ do: 'remove', place: room!.place, person: 'bert' })
    expect(removed[0]!.people.map(({ nick }) => nick)).toEqual(['ada'])
    await expect(home.open('room', member, room!.place)).rejects.toThrow()
    const page = await askAudit(await home.open('control'), 0, { clock })
    const rooms = (page.entries as AuditEntry[]).filter(({ what }) => what === 'room')
    expect(
      rooms.map(({ who, result, detail }) => `${who} ${result} ${detail.split(' ')[0]}`),
    ).toEqual(['ada done create', 'home done invite', 'home done remove'])
  })
})
