/** The keeper of shells, made ready while whoever is about to open one is still logging in. */

import { expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { SHELL_COMMENT } from '../../src/box/kept-shells.ts'
import { KeeperHouse, SimulatedAgent } from './keeper-house.ts'
import { SkippingClock } from './skipping-clock.ts'

const ABOUT_TO = { ident: `box_1 ${SHELL_COMMENT}` }

test('the keeper is started by whoever may open a shell and is about to, and by nobody else', async () => {
  const house = new KeeperHouse(new SkippingClock())
  const agents = await Promise.all([
    SimulatedAgent.start(house, { log: silentLog, keepMs: 0 }),
    SimulatedAgent.start(house, { log: silentLog }),
  ])
  try {
    const [keepsNothing, agent] = agents
    await keepsNothing.connect({}, ABOUT_TO)
    await agent.connect({ allows: right => right !== 'shell' }, ABOUT_TO)
    await agent.connect({}, { ident: 'box_1' })
    const before = house.starts
    await agent.connect({}, ABOUT_TO)
    expect([before, house.starts]).toEqual([0, 1])
  } finally {
    for (const one of agents) await one.stop()
    house.close()
  }
})
