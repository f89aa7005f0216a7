import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { askInfo, askLeave, type ControlOptions, serveControl } from '../../src/box/control.ts'
import { signIntent } from '../../src/gns/revocation.ts'
import { outcome, Pair } from './pair-of-peers.ts'

const info = { version: '0.1.0', hostName: 'box', startedAt: 5, owners: 2 }

async function sessions(options: Partial<ControlOptions> = {}) {
  const pair = new Pair()
  const left: number[] = []
  const { sessions } = pair.listen('control')
  const channel = await pair.connect('control')
  const mine = await pair.until(pair.authenticate(channel, 'control'))
  const theirs = await pair.until(sessions[0]!)
  const served = serveControl(theirs, {
    clock: pair.world,
    info: () => info,
    leave: () => void left.push(1),
    allows: () => true,
    approvals: { list: () => [], judge: () => {} },
    administration: {
      grant: () => {},
      revoke: () => {},
      rotateHostKey: () => {},
      rotateKey: () => new Uint8Array(0),
      revocation: time => signIntent(pair.device, time),
      grants: () => [],
      audit: () => [],
      rooms: () => [],
    },
    ...options,
  })
  return { pair, mine, left, served }
}

describe('a device answers', () => {
  test('what it is', async () => {
    const { pair, mine, served } = await sessions()
    expect(await pair.until(askInfo(mine, { clock: pair.world }))).toEqual(info)
    await pair.until(served)
    await pair.world.pass(1_000)
    expect(pair.world.pending).toBe(0)
  })

  test('NOT_PERMITTED to whoever may not know', async () => {
    const { pair, mine } = await sessions({ allows: () => false })
    expect(await pair.until(outcome(askInfo(mine, { clock: pair.world })))).toBe('NOT_PERMITTED')
  })

  test('an owner that leaves', async () => {
    const { pair, mine, left } = await sessions({ allows: () => false })
    await pair.until(askLeave(mine, { clock: pair.world }))
    expect(left).toEqual([1])
  })

  test('that it could not do it', async () => {
    const { pair, mine } = await sessions({
      leave: () => {
        throw new BoxError('STATE_UNWRITABLE')
      },
    })
    expect(await pair.until(outcome(askLeave(mine, { clock: pair.world })))).toBe(
      'STATE_UNEXPECTED',
    )
  })

  test('nonsense with the end of the channel', async () => {
    const { pair, mine, served } = await sessions()
    mine.channel.send(Uint8Array.of(0, 4, 0xbd, 0x77))
    await pair.until(served)
    expect(await pair.until(outcome(askInfo(mine, { clock: pair.world })))).toBe('CHANNEL_CLOSED')
  })
})
