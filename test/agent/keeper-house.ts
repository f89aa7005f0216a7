/** A keeper in this process, at a socket in a directory of its own, and agents that come and go. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Client, ConnectConfig } from 'ssh2'
import { ownAccount } from '../../agent/environment.ts'
import { ENDED_FILE, noteEndedShell } from '../../agent/keeper/ended-shells.ts'
import { Keeper } from '../../agent/keeper/keeper.ts'
import { ShellKeeper } from '../../agent/keeper/shell-keeper.ts'
import { KeeperReader, wordsMessage } from '../../agent/keeper/words.ts'
import type { Custody } from '../../agent/lasting-shells.ts'
import { Pty } from '../../agent/pty.ts'
import type { Recorder } from '../../agent/recorder.ts'
import { goOnRecording } from '../../agent/session-recording.ts'
import { type Caller, SshServer } from '../../agent/ssh-server.ts'
import type { Log } from '../../src/base/log.ts'
import { keeperSocket } from '../../src/sys/paths.ts'
import { listenUnix, type UnixListener } from '../../src/sys/unix-socket.ts'
import type { SkippingClock } from './skipping-clock.ts'
import { CALLER, connectOver, hostKey, NOBODY, streamPair } from './ssh-fixture.ts'

export const KEEP_MS = 1_800_000

/** The keeper, and the machine it is on. */
export class KeeperHouse {
  readonly directory = mkdtempSync(join(tmpdir(), 'keeper-'))
  /** How often one was started. */
  starts = 0
  /** The keeper that is there. */
  keeper: Keeper | null = null
  private listener: UnixListener | null = null
  readonly clock: SkippingClock

  constructor(clock: SkippingClock) {
    this.clock = clock
  }

  get socket(): string {
    return keeperSocket(this.directory)
  }

  readonly start = (): { exited: Promise<void> } => {
    this.starts++
    void this.listen()
    return { exited: new Promise(() => {}) }
  }

  private async listen(): Promise<void> {
    const keeper = new Keeper({
      clock: this.clock,
      start: request => new Pty({ ...request, clock: this.clock }),
      ended: end => noteEndedShell(join(this.directory, ENDED_FILE), end),
      isReachable: () => existsSync(this.socket),
      over: () => {
        this.listener?.close()
        this.keeper = null
      },
    })
    this.listener = await listenUnix(this.socket, stream => keeper.accept(stream))
    this.keeper = keeper
  }

  /** What the keeper answers to these first words. */
  ask(words: Parameters<typeof wordsMessage>[0]): Promise<unknown> {
    return new Promise(resolve => {
      const reader = new KeeperReader()
      const socket = connect(this.socket, () => socket.write(wordsMessage(words)))
      socket.on('data', chunk => {
        for (const heard of reader.push(chunk))
          if ('words' in heard) resolve(JSON.parse(Buffer.from(heard.words).toString()))
        socket.destroy()
      })
      socket.on('close', () => resolve(null))
    })
  }

  /** Until the keeper has enough of it. */
  say(bytes: Uint8Array): Promise<void> {
    return new Promise(resolve => {
      const socket = connect(this.socket, () => socket.end(bytes))
      socket
        .on('error', () => {})
        .on('close', () => resolve())
        .resume()
    })
  }

  close(): void {
    this.keeper?.close()
    this.listener?.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export interface SimulatedAgentOptions {
  readonly log: Log
  readonly keepMs?: number
  /** What the grants say. */
  readonly allows?: () => boolean
  /** Absent: it can record nothing. */
  readonly recorder?: Recorder | null
}

/** What a device's agent has to do with shells. */
export class SimulatedAgent {
  readonly server: SshServer
  readonly keeper: ShellKeeper
  /** What its journal says of shells. */
  readonly notes: string[]
  private readonly allows: () => boolean

  static async start(
    house: KeeperHouse,
    { log, keepMs = KEEP_MS, allows = () => true, recorder = null }: SimulatedAgentOptions,
  ): Promise<SimulatedAgent> {
    const { directory, clock, start } = house
    const keeper = await ShellKeeper.find({ directory, keepMs, clock, log, start })
    return new SimulatedAgent(keeper, { clock, log, keepMs, allows, recorder })
  }

  private constructor(
    keeper: ShellKeeper,
    {
      clock,
      log,
      keepMs: keepShellsMs,
      allows,
      recorder,
    }: Required<SimulatedAgentOptions> & { clock: SkippingClock },
  ) {
    const notes: string[] = []
    this.notes = notes
    this.keeper = keeper
    this.allows = allows
    const note = noteIn(notes)
    const account = { ...ownAccount('/bin/bash'), home: '/tmp' }
    const custody: Custody = {
      keeper,
      ownerOf: ({ zone }) => ({ zone, name: 'ada', allows, note }),
      record: label => goOnRecording(label, recorder, { name: 'ada', deviceName: 'kitchen' }),
    }
    this.server = new SshServer({
      ...{
        hostKey: hostKey.secret,
        account,
        clock,
        log,
        keepShellsMs,
        custody,
        recorder,
        approvals: NOBODY,
      },
    })
  }

  async connect(
    caller: Partial<Caller> = {},
    config: Partial<ConnectConfig> = {},
  ): Promise<{ client: Client; cut: () => void }> {
    const [near, far]: [Duplex, Duplex] = streamPair()
    const note = noteIn(this.notes)
    void this.server.serve(far, { ...CALLER, allows: this.allows, note, ...caller })
    const client = await connectOver(near, config)
    client.on('error', () => {})
    return { client, cut: () => void near.destroy() }
  }

  /** Ends as a process that was asked to. */
  async stop(): Promise<void> {
    await this.server.close()
    this.keeper.close()
  }

  /** Is gone from one moment to the next: its sockets are closed, and nobody has said anything. */
  async crash(): Promise<void> {
    const { left } = this.keeper as unknown as { left: { program: { leave(): void } }[] }
    const { shells } = this.server as unknown as {
      shells: { shells: Map<{ program: { keeping?: { leave(): void } } }, unknown> }
    }
    for (const { program } of left) program.leave()
    for (const { program } of shells.shells.keys()) program.keeping?.leave()
    shells.shells.clear()
    this.keeper.close()
    await this.server.close({ endShells: true })
  }
}

const noteIn =
  (notes: string[]): Caller['note'] =>
  (what, detail, result, at) => {
    if (what === 'shell') notes.push(`${detail} ${result}${at === undefined ? '' : ' before'}`)
  }
