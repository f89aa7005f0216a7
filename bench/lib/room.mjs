/** A room with its host and its members, each a peer of its own with an engine of its own, over loopback TCP. */

import { silentLog } from '../../dist/src/base/log.js'
import { memoryStore } from '../../dist/src/base/store.js'
import { acceptHandshake, authenticate } from '../../dist/src/box/handshake.js'
import { servicePort } from '../../dist/src/box/ports.js'
import { SigningKey } from '../../dist/src/crypto/signing.js'
import { ZoneSecret } from '../../dist/src/crypto/zone-key.js'
import { createEmbedded } from '../../dist/src/mesh/embedded.js'
import { forgetfulLedger } from '../../dist/src/psyc/history.js'
import { PlaceDoor } from '../../dist/src/psyc/place-door.js'
import { PlaceGuest } from '../../dist/src/psyc/place-guest.js'
import { PlaceHost } from '../../dist/src/psyc/place-host.js'
import { systemClock as clock } from '../../dist/src/sys/clock.js'
import { systemRandom as random } from '../../dist/src/sys/random.js'
import { tcpNetwork } from '../../dist/src/sys/tcp.js'

const LISTEN = [{ host: '127.0.0.1', port: 0 }]
const NOTHING = new Uint8Array(0)

async function peer(hubs) {
  const own = ZoneSecret.generate('EDKEY', random)
  const listen = { listen: LISTEN, advertise: [] }
  const mesh = await createEmbedded({ clock, random, network: tcpNetwork, store: memoryStore(), log: silentLog, ...listen, hubs })
  return { own, mesh, node: { peer: mesh.self, zone: own.zone } }
}

/** Whoever dials is asked who it is, as a device and a `box up` do. */
function serve({ own, mesh }, accept) {
  mesh.listen(servicePort('room', own.zone), channel => {
    void acceptHandshake(channel, { self: mesh.self, purpose: 'room', own, clock, random, admit: () => ({ payload: NOTHING }) }).then(
      session => accept({ zone: session.peerZone, channel: session.channel }),
      () => {},
    )
  })
}

async function dial({ own, mesh }, { peer: to, zone }, signal) {
  const channel = await mesh.connect(to, servicePort('room', zone), { signal })
  const session = await authenticate(channel, { self: mesh.self, purpose: 'room', own, device: zone, clock, random, signal })
  return { zone, channel: session.channel }
}

/** `fanout` is that of the host; members hand on unless `areLeaves`. Resolves when all read along. */
export async function startRoom(count, { fanout, areLeaves }) {
  const server = await peer([])
  const key = SigningKey.fromSeed(random.bytes(32))
  const host = new PlaceHost({
    ...{ key, self: server.node, clock, random, store: memoryStore(), name: 'room', ledger: forgetfulLedger, fanout },
    rules: { isHistoryOpen: false, announcesMembers: false },
  })
  const door = new PlaceDoor({ host, clock, door: (_visitor, decide) => decide(true), relayRules: new Map() })
  serve(server, link => door.accept(link))
  const hello = server.mesh.hello()
  const members = []
  for (let i = 0; i < count; i++) {
    const one = await peer([hello])
    // As where all have public addresses; behind NAT each way would lead through a hub.
    for (const { mesh } of areLeaves ? [] : members) one.mesh.introduce(mesh.hello())
    const heard = { said: () => {} }
    await new Promise(resolve => {
      one.guest = new PlaceGuest({
        ...{ place: key.publicKey, host: server.node, self: one.node, clock, random, isLeaf: areLeaves },
        ...{ store: memoryStore(), name: 'room', ledger: forgetfulLedger, request: { method: '_request_enter' } },
        dial: (node, signal) => dial(one, node, signal),
        events: {
          entered: () => {},
          refused: () => {},
          attached: isAttached => isAttached && resolve(),
          said: message => heard.said(message),
        },
      })
      if (!areLeaves) serve(one, link => one.guest.accept(link))
      one.guest.enter()
    })
    members.push({ ...one, heard })
  }
  return { host, members }
}
