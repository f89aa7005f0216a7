/** A TCP proxy before a hub that keeps every byte: what whoever sits on the wire has. */

import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** One connection to the hub. */
export class Recorded {
  readonly pieces: Buffer[] = []
  /** Bytes to the hub, and from it. */
  up = 0
  down = 0

  note(piece: Buffer, isUp: boolean): void {
    this.pieces.push(piece)
    if (isUp) this.up += piece.length
    else this.down += piece.length
  }
}

export class Recorder {
  readonly connections: Recorded[] = []
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  /** Listens on `port` of the loopback address, and passes on to `target` there. */
  static async open(port: number, target: number): Promise<Recorder> {
    const recorder = new Recorder(target)
    await new Promise<void>((resolve, reject) => {
      recorder.server.once('error', reject)
      recorder.server.listen(port, '127.0.0.1', resolve)
    })
    return recorder
  }

  private constructor(target: number) {
    this.server = createServer(client => this.pass(client, dial(target, '127.0.0.1')))
  }

  /** Each direction of each connection as one piece. */
  get captured(): Buffer[] {
    return this.connections.map(({ pieces }) => Buffer.concat(pieces))
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private pass(client: Socket, hub: Socket): void {
    const one = new Recorded()
    this.connections.push(one)
    for (const [from, to, isUp] of [
      [client, hub, true],
      [hub, client, false],
    ] as const) {
      this.sockets.add(from)
      from.setNoDelay(true)
      from.on('data', piece => {
        one.note(piece, isUp)
        to.write(piece)
      })
      from.on('close', () => {
        this.sockets.delete(from)
        to.destroy()
      })
      from.on('error', () => to.destroy())
    }
  }
}
