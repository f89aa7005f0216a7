/**
 * What a client says to the services of an installed GNUnet, and they to it, over their Unix sockets:
 * CORE, CADET, DHT, PEERINFO, PEERSTORE and REVOCATION (core.h, cadet.h, dht.h, peerinfo.h, peerstore.h, revocation.h, GNUnet 0.19.3 to
 * 0.27.0). Type 1 is never sent: it crashes the services of every release.
 */

import { optional, struct, textNul } from '../../wire/fields.ts'
import { bytes, counted, lengthOf, message, rest, u16, u32, u64, zero } from '../../wire/layout.ts'

// CORE

/** Options 0, no types: tells us who the peer is. */
export const CoreInit = message('IPC_CORE_INIT', 64, { options: zero(u32) })
/** GNUnet 0.25 and later add the class of the peer, in the byte order of the machine. */
export const CoreInitReply = message('IPC_CORE_INIT_REPLY', 65, {
  reserved: zero(u32),
  peer: bytes(32),
  peerClass: optional(u32),
})
/** From now on tell of every peer. */
export const CoreMonitorPeers = message('IPC_CORE_MONITOR_PEERS', 78, {})
export const CoreMonitorNotify = message('IPC_CORE_MONITOR_NOTIFY', 79, {
  state: u32,
  peer: bytes(32),
  timeout: u64,
})

// CADET

export const PortOpen = message('IPC_CADET_PORT_OPEN', 1022, { port: bytes(64) })
export const PortClose = message('IPC_CADET_PORT_CLOSE', 1023, { port: bytes(64) })
/** Ours: asks for a channel. The service's: somebody opened one to a port of ours. */
export const ChannelCreate = message('IPC_CADET_CHANNEL_CREATE', 1024, {
  channel: u32,
  peer: bytes(32),
  port: bytes(64),
  options: zero(u32),
})
export const ChannelDestroy = message('IPC_CADET_CHANNEL_DESTROY', 1025, { channel: u32 })
/** Exactly one whole message. The priority is ignored by every release. */
export const ChannelData = message('IPC_CADET_DATA', 1020, {
  channel: u32,
  priority: zero(u32),
  payload: rest,
})
/** To us: one more message may be sent. From us: one more may be delivered. */
export const ChannelAck = message('IPC_CADET_ACK', 1021, { channel: u32 })

export const PeersRequest = message('IPC_CADET_PEERS', 1033, {})
export const PeersInfo = message('IPC_CADET_PEERS_INFO', 1034, {
  paths: u16,
  hasTunnel: u16,
  bestPath: u32,
  peer: bytes(32),
})
export const PeersEnd = message('IPC_CADET_PEERS_END', 1035, {})
export const PathRequest = message('IPC_CADET_PATH', 1036, {
  reserved: zero(u32),
  peer: bytes(32),
})
/** A path, nearest hop first; the peer in question is at `offset` of it. */
export const PathInfo = message('IPC_CADET_PATH_INFO', 1037, { offset: u32, hops: rest })
export const PathEnd = message('IPC_CADET_PATH_END', 1038, {})
export const TunnelsRequest = message('IPC_CADET_TUNNELS', 1039, {})
export const TunnelsInfo = message('IPC_CADET_TUNNELS_INFO', 1040, {
  channels: u32,
  peer: bytes(32),
  connections: u32,
  encryption: u16,
  reserved: zero(u16),
})
export const TunnelsEnd = message('IPC_CADET_TUNNELS_END', 1041, {})

// DHT

export const DhtPut = message('IPC_DHT_PUT', 142, {
  blockType: u32,
  options: u32,
  replication: u32,
  expiry: u64,
  key: bytes(64),
  data: rest,
})
export const DhtGet = message('IPC_DHT_GET', 143, {
  options: u32,
  replication: u32,
  blockType: u32,
  key: bytes(64),
  query: u64,
  extendedQuery: rest,
})
export const DhtGetStop = message('IPC_DHT_GET_STOP', 144, {
  reserved: zero(u32),
  query: u64,
  key: bytes(64),
})
/** A hop and its signature over having passed the block on, the signature first. */
export const DhtHop = struct('IPC_DHT_PATH_ELEMENT', { signature: bytes(64), peer: bytes(32) })
/** With option 8 a pid stands before the paths, which is why they are taken apart by hand. */
export const DhtResultMessage = message('IPC_DHT_RESULT', 145, {
  blockType: u32,
  reserved: zero(u32),
  options: u32,
  putPathLength: u32,
  getPathLength: u32,
  query: u64,
  expiry: u64,
  key: bytes(64),
  pathsAndData: rest,
})
/** Asks for the peer's own HELLO URL; the answer is DhtHelloUrl. */
export const DhtHelloGet = message('IPC_DHT_HELLO_GET', 161, {})
/** From a client: here is the HELLO URL of somebody. */
export const DhtHelloUrl = message('IPC_DHT_HELLO_URL', 159, { url: textNul })

// PEERINFO: up to GNUnet 0.20. A HELLO (17) is sent as it is.

/** All HELLOs that are known, then each that changes. */
export const PeerinfoNotify = message('IPC_PEERINFO_NOTIFY', 334, { includeFriendOnly: u32 })
export const PeerinfoInfo = message('IPC_PEERINFO_INFO', 332, {
  reserved: zero(u32),
  peer: bytes(32),
  hello: rest,
})

// PEERSTORE: since GNUnet 0.21; the same numbers mean something else before.

export const PeerstoreStore = message('IPC_PEERSTORE_STORE', 820, {
  peer: bytes(32),
  expiry: u64,
  request: u32,
  options: u32,
  keySize: lengthOf('key', u16),
  valueSize: lengthOf('value', u16),
  subsystemSize: lengthOf('subsystem', u16),
  reserved: zero(u16),
  subsystem: counted('subsystemSize'),
  key: counted('keySize'),
  value: counted('valueSize'),
})
export const PeerstoreRecord = message('IPC_PEERSTORE_RECORD', 822, {
  peer: bytes(32),
  expiry: u64,
  request: u32,
  options: u32,
  keySize: lengthOf('key', u16),
  valueSize: lengthOf('value', u16),
  subsystemSize: lengthOf('subsystem', u16),
  reserved: zero(u16),
  subsystem: counted('subsystemSize'),
  key: counted('keySize'),
  value: counted('valueSize'),
})
export const PeerstoreStored = message('IPC_PEERSTORE_STORE_RESULT', 827, {
  request: u32,
  result: u64,
})
/** Everything of a subsystem under a key, and each change after that. */
export const PeerstoreMonitor = message('IPC_PEERSTORE_MONITOR_START', 824, {
  peer: bytes(32),
  request: u32,
  keySize: lengthOf('key', u16),
  peerSet: u16,
  subsystemSize: lengthOf('subsystem', u16),
  iterateFirst: u16,
  subsystem: counted('subsystemSize'),
  key: counted('keySize'),
})
export const PeerstoreSync = message('IPC_PEERSTORE_MONITOR_SYNC', 825, {})
/** So many more may come. */
export const PeerstoreMore = message('IPC_PEERSTORE_MONITOR_NEXT', 826, { limit: u64 })

/** HELLO of GNUnet 0.21 and later (hello-uri.c): what PEERSTORE keeps of a peer. */
export const HelloUri = message('HELLO_URI', 16, {
  reserved: zero(u16),
  uriCount: u16,
  peer: bytes(32),
  signature: bytes(64),
  expiry: u64,
  uris: rest,
})

// REVOCATION (revocation.h); what is revoked is said as between peers, message 638

/** Whether this zone is revoked. */
export const RevocationQuery = message('IPC_REVOCATION_QUERY', 636, {
  size: lengthOf('zone', u32),
  zone: counted('size'),
})
/** 0: it is revoked; 1: as far as the service knows, it is not. */
export const RevocationAnswer = message('IPC_REVOCATION_QUERY_RESPONSE', 637, { isValid: u32 })
/** 1: it was taken, and is on its way to all neighbours. */
export const RevocationTaken = message('IPC_REVOCATION_REVOKE_RESPONSE', 639, { isValid: u32 })

export type CreateValue = ReturnType<typeof ChannelCreate.decode>
export type ResultValue = ReturnType<typeof DhtResultMessage.decode>
export type TunnelValue = ReturnType<typeof TunnelsInfo.decode>
