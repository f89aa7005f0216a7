/**
 * Many devices in one process (lib/agents.mjs): `agents.mjs COUNT 'HUB …' OWNER FOLDER [FIRST]`, paired with the owner of this zone,
 * numbered from FIRST, with V8 set up as in an agent; each sees as /etc/bench a directory of its own below the folder. The guard beside each agent is left out: a process each.
 */

import '../../dist/agent/lean-heap.js'
import { startAgents } from '../lib/agents.mjs'

const [, , count, hellos, owner, top, first = '0'] = process.argv
const agents = await startAgents(Number(count), hellos, owner, top, Number(first))
console.log(`READY ${JSON.stringify(agents.map(({ name, zone }) => ({ name, zone })))}`)
