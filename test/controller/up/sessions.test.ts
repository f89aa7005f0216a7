import { describe, expect, test } from 'vitest'
import { SESSION_LASTS_MS, Sessions } from '../../../controller/up/sessions.ts'
import { World } from '../../sim/world.ts'

const MINUTE_MS = 60_000

function begin() {
  const world = new World(7)
  return { world, sessions: new Sessions({ clock: world, random: world.random }) }
}

describe('a session of the page', () => {
  test('is had for a code, once', () => {
    const { sessions } = begin()
    const { code } = sessions.invite()
    const session = sessions.redeem(code)
    expect(sessions.find(session.cookie, session.key)).toBe(session)
    expect(() => sessions.redeem(code)).toThrow(expect.objectContaining({ code: 'API_REFUSED' }))
    expect(() => sessions.redeem('')).toThrow(expect.objectContaining({ code: 'API_REFUSED' }))
    sessions.close()
  })

  test('is not had for a code that is a minute old', () => {
    const { world, sessions } = begin()
    const { code } = sessions.invite()
    world.run(MINUTE_MS + 1)
    expect(() => sessions.redeem(code)).toThrow(expect.objectContaining({ code: 'API_REFUSED' }))
  })

  test('is nothing without its key, or with that of another', () => {
    const { sessions } = begin()
    const [one, other] = [1, 2].map(() => sessions.redeem(sessions.invite().code))
    expect(sessions.find(one!.cookie, '')).toBeNull()
    expect(sessions.find(one!.cookie, other!.key)).toBeNull()
    expect(sessions.find(one!.key, one!.key)).toBeNull()
    expect(sessions.find('', one!.key)).toBeNull()
    sessions.close()
  })

  test('ends after its time, and says so to what goes on in it', () => {
    const { world, sessions } = begin()
    const session = sessions.redeem(sessions.invite().code)
    world.run(SESSION_LASTS_MS - 1)
    expect(session.signal.aborted).toBe(false)
    world.run(2)
    expect(session.signal.aborted).toBe(true)
    expect(sessions.find(session.cookie, session.key)).toBeNull()
  })

  test('gives way where there are too many; no timer is left in the end', () => {
    const { world, sessions } = begin()
    const first = sessions.redeem(sessions.invite().code)
    for (let i = 0; i < 16; i++) sessions.redeem(sessions.invite().code)
    expect(first.signal.aborted).toBe(true)
    const { code } = sessions.invite()
    for (let i = 0; i < 16; i++) sessions.invite()
    expect(() => sessions.redeem(code)).toThrow(expect.objectContaining({ code: 'API_REFUSED' }))
    sessions.close()
    expect(world.pending).toBe(0)
  })
})
