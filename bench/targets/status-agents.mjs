/**
 * Many devices in one process (lib/agents.mjs), of which only the figures are made up: `status-agents.mjs COUNT 'HUB …' OWNER FOLDER 0 RATE SECONDS`.
 * What changes is told at once: how often a real one looks at itself (every 1.5 s while it is followed) is no figure of the way.
 */

import { measure, ownMachine } from '../../dist/agent/probes.js'
import { startAgents } from '../lib/agents.mjs'
import { changeOnSignal, moment } from '../lib/updates.mjs'

const [, , count, hellos, owner, top, , rate, seconds] = process.argv
const agents = await startAgents(Number(count), hellos, owner, top)
const before = measure(ownMachine(Date.now()))
const places = agents.map(({ agent }) => {
  const { statusPlace: place } = agent
  const told = { figures: before }
  place.options = { ...place.options, look: () => told.figures }
  return { place, told }
})
changeOnSignal(agents.length, Number(rate), Number(seconds), i => {
  const { place, told } = places[i]
  told.figures = { ...before, probes: [{ name: 'bench', values: new Map([['at', moment()]]), failure: null }] }
  place.publish()
})
console.log(`READY ${JSON.stringify(agents.map(({ name, zone }) => ({ name, zone })))}`)
