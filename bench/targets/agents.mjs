/**
 * Many devices in one process (lib/agents.mjs): `agents.mjs COUNT 'HUB …' OWNER FOLDER`, paired with the owner of this zone; each sees as
 * /etc/bench a directory of its own below the folder. The guard beside each agent is left out: a process each.
 */

import { startAgents } from '../lib/agents.mjs'

const [, , count, hellos, owner, top] = process.argv
const agents = await startAgents(Number(count), hellos, owner, top)
console.log(`READY ${JSON.stringify(agents.map(({ name, zone }) => ({ name, zone })))}`)
