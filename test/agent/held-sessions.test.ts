/**
 * Sessions of somebody whose grant demands another person, with a real agent and real clients: nothing runs before
 * that person has said so, whatever a client says, sends or claims.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BoxError } from '../../src/base/errors.ts'
import {
  APPROVED_SUBSYSTEM,
  decodeApprovalRequest,
  encodeApprovalRequest,
  readListing,
  signVerdict,
} from '../../src/box/approval.ts'
import { parseAuditEntry } from '../../src/box/audit.ts'
import { askApprovals, askGrant, askJudge } from '../../src/box/control.ts'
import type { Right } from '../../src/box/grant.ts'
import { signGrant } from '../../src/box/grant-statement.ts'
import { type Scope, WHOLE_SCOPE } from '../../src/box/scope.ts'
import { encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { utf8 } from '../vectors.ts'
import { Home } from './home.ts'
import {
  connectOver,
  type Ended,
  ended,
  exec,
  KEYS,
  publicBlob,
  shell,
  subsystem,
} from './ssh-fixture.ts'

let home: Home
let ada: ZoneSecret
let bea: ZoneSecret
let folder: string
let number: number

beforeEach(async () => {
  home = new Home()
  await home.start()
  await home.pair()
  ada = ZoneSecret.generate('EDKEY', systemRandom)
  bea = ZoneSecret.generate('EDKEY', systemRandom)
  number = Date.now() - 100_000
  folder = mkdtempSync(join(tmpdir(), 'box-two-'))
  await grant(ada, 'ada', ['exec', 'shell'])
  await grant(bea, 'bea', ['exec'])
})
afterEach(async () => {
  await home.stop()
  rmSync(folder, { recursive: true, force: true })
})

const grant = async (
  to: ZoneSecret,
  name: string,
  rights: readonly Right[],
  scope: Partial<Scope> = { approved: true },
) => {
  const said = { device: home.agent.device.zone, holder: to.zone, number: ++number, until: null }
  const signed = signGrant(home.owner, {
    ...{ ...said, name, rights, scope: { ...WHOLE_SCOPE, ...scope } },
  })
  await askGrant(await home.open('control'), signed, { clock })
}

const enter = async (as = ada): Promise<Client> => {
  const announced = { publicKey: publicBlob(KEYS.public), deviceName: '', user: null }
  const session = await home.open('ssh', as, encodeSshAnnouncement(announced))
  return connectOver(asDuplex(session.channel, clock), { strictVendor: false } as object)
}

/** What waits, as somebody sees it: until it is there. */
async function waiting(as = bea, count = 1): Promise<readonly Uint8Array[]> {
  let found: Uint8Array[] = []
  await expect
    .poll(async () => {
      const { entries } = await askApprovals(await home.open('control', as), 0, { clock })
      found = entries.map(entry => readListing(entry).request)
      return found.length
    })
    .toBe(count)
  return found
}

const say = async (by: ZoneSecret, request: Uint8Array, isApproved = true, caller = by) =>
  askJudge(await home.open('control', caller), signVerdict(by, { request, isApproved }), { clock })

/** Runs a command whose input is given; its end. */
async function held(client: Client, line: string, input = ''): Promise<Ended> {
  const channel = await exec(client, line)
  const end = ended(channel)
  channel.end(input)
  return end
}

const asking = (client: Client, line: string): Promise<ClientChannel> =>
  subsystem(client, `${APPROVED_SUBSYSTEM}${line}`)

const file = (name: string) => join(folder, name)
const audited = () =>
  home.audit
    .entries()
    .flatMap(value => parseAuditEntry(value) ?? [])
    .map(({ who, what, result }) => `${who} ${what} ${result}`)

describe('a command', () => {
  test('runs when another person has approved it, with the input that they approved', async () => {
    const client = await enter()
    const end = held(client, `cat > ${file('out')}; cat ${file('out')}; exit 3`, 'input')
    const [request] = await waiting()
    expect(decodeApprovalRequest(request!)).toMatchObject({
      ...{ kind: 'exec', requester: ada.zone, device: home.agent.device.zone },
      input: { size: 5, hash: new Uint8Array(sha256(utf8('input'))) },
      key: new Uint8Array(sha256(publicBlob(KEYS.public))),
    })
    expect(existsSync(file('out'))).toBe(false)
    await say(bea, request!)
    const { out, err, code } = await end
    expect([out.toString(), code]).toEqual(['input', 3])
    expect(err.toString()).toMatch(
      /^box: waits for approval by another person, ID \w{12}, until .* UTC\.\nbox: approved by bea\.\n$/,
    )
    expect(audited().filter(line => /approval|exec/.test(line))).toEqual([
      ...['ada approval asked', 'bea approval approved', 'ada exec begun', 'ada exec exit 3'],
    ])
    client.end()
  })

  test('does not run when it is denied, and the session says that none did', async () => {
    const client = await enter()
    const end = held(client, `touch ${file('x')}`)
    const [request] = await waiting(home.owner)
    await say(home.owner, request!, false)
    const { err, code, signal } = await end
    expect([code, signal]).toEqual([null, 'SIGTERM'])
    expect(err.toString()).toMatch(/Denied by home\.\n$/)
    expect(existsSync(file('x'))).toBe(false)
    client.end()
  })

  test('is taken back when its client goes away', async () => {
    const client = await enter()
    void held(client, `touch ${file('x')}`).catch(() => {})
    const [request] = await waiting()
    client.end()
    await waiting(bea, 0)
    await expect(say(bea, request!)).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
    await expect.poll(audited).toContain('ada approval withdrawn')
    expect(existsSync(file('x'))).toBe(false)
  })

  test('is held for anybody who asks for it, and refused where that is not granted', async () => {
    await grant(ada, 'ada', ['exec'], { commands: ['echo *'] })
    const client = await enter()
    expect((await held(client, 'echo at once')).out.toString()).toBe('at once\n')
    const channel = await asking(client, 'echo two')
    const end = ended(channel)
    channel.end()
    const [request] = await waiting(home.owner)
    await say(home.owner, request!)
    expect((await end).out.toString()).toBe('two\n')
    await expect(asking(client, 'id')).rejects.toThrow()
    client.end()
  })

  test('whose input is longer than can be approved is refused', async () => {
    const client = await enter()
    const { err, signal } = await held(client, `touch ${file('x')}`, 'x'.repeat(70_000))
    expect([signal, err.toString()]).toEqual(['SIGTERM', 'box: At most 65536 bytes of input.\n'])
    expect(existsSync(file('x'))).toBe(false)
    client.end()
  })
})

describe('on a terminal', () => {
  const TERMINAL = { cols: 80, rows: 24 }

  test('a shell opens when it is approved, and what was typed before is lost', async () => {
    await grant(bea, 'bea', ['shell'])
    const client = await enter()
    const channel = await shell(client, TERMINAL)
    const end = ended(channel)
    channel.write(`touch ${file('early')}\n`)
    const [request] = await waiting()
    expect(decodeApprovalRequest(request!)).toMatchObject({
      ...{ kind: 'shell on a terminal', line: '', input: { size: 0 } },
    })
    await say(bea, request!)
    channel.write(`touch ${file('late')}; exit 4\n`)
    expect(await end).toMatchObject({ code: 4 })
    expect([existsSync(file('early')), existsSync(file('late'))]).toEqual([false, true])
    client.end()
  })

  test('^C ends the waiting', async () => {
    const client = await enter()
    const channel = await exec(client, `touch ${file('x')}`, { pty: true })
    const end = ended(channel)
    await waiting()
    channel.write('\u0003')
    const { err, signal } = await end
    expect([signal, err.toString().endsWith('It was withdrawn.\r\n')]).toEqual(['SIGTERM', true])
    await waiting(bea, 0)
    client.end()
  })
})

describe('a client that lies', () => {
  const refused = async (work: Promise<unknown>) =>
    work.then(
      () => 'taken',
      (error: BoxError) => error.code,
    )

  test('has nothing run by approving itself, or by what somebody said of something else', async () => {
    const client = await enter()
    const end = held(client, `touch ${file('x')}`)
    const [request] = await waiting()
    const asked = decodeApprovalRequest(request!)
    // For itself; in the name of another; changed; noise; a verdict about another request, and twice.
    expect(await refused(say(ada, request!))).toBe('NOT_PERMITTED')
    expect(await refused(say(bea, request!, true, ada))).toBe('NOT_PERMITTED')
    const other = encodeApprovalRequest({ ...asked, line: 'true' })
    expect(await refused(say(bea, other))).toBe('APPROVAL_UNKNOWN')
    const noise = askJudge(await home.open('control', ada), systemRandom.bytes(170), { clock })
    expect(await refused(noise)).toBe('STATE_UNEXPECTED')
    expect(existsSync(file('x'))).toBe(false)
    const captured = signVerdict(bea, { request: request!, isApproved: true })
    await askJudge(await home.open('control', bea), captured, { clock })
    expect((await end).code).toBe(0)
    rmSync(file('x'))
    const again = held(client, `touch ${file('x')}`)
    const [next] = await waiting()
    for (const who of [ada, bea]) {
      const replayed = askJudge(await home.open('control', who), captured, { clock })
      expect(await refused(replayed)).toMatch(/NOT_PERMITTED|APPROVAL_UNKNOWN/)
    }
    expect(existsSync(file('x'))).toBe(false)
    await say(bea, next!, false)
    await again
    expect(audited()).toContain('ada approval refused')
    client.end()
  })

  test('finds no other door: what it says of itself, other sessions, later, more rights', async () => {
    const client = await enter()
    const env = { BOX_APPROVED: '1', BOX_TWO: '0' }
    const channel = await exec(client, `touch ${file('x')}`, { env })
    channel.end()
    await waiting()
    await expect(
      new Promise((resolve, reject) =>
        client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
      ),
    ).rejects.toThrow()
    await expect(grant(ada, 'ada', ['exec', 'files'])).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    expect(existsSync(file('x'))).toBe(false)
    client.end()
  })

  test('runs nothing when its right was taken back while it waited', async () => {
    const client = await enter()
    const end = held(client, `touch ${file('x')}`)
    const [request] = await waiting()
    await grant(ada, 'ada', ['status'])
    await end
    await expect(say(bea, request!)).rejects.toMatchObject({ code: 'APPROVAL_UNKNOWN' })
    expect(existsSync(file('x'))).toBe(false)
  })
})
