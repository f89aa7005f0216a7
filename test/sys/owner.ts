/** An owner of a stream that writes down what it is told, and lets a test wait for it. */

import { concat } from '../../src/base/bytes.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'

export class Owner implements StreamEvents {
  stream!: Stream
  readonly chunks: Uint8Array[] = []
  readonly story: string[] = []
  error: Error | null = null
  private readonly waiting = new Set<() => void>()

  get got(): Uint8Array {
    return concat(...this.chunks)
  }

  get text(): string {
    return new TextDecoder().decode(this.got)
  }

  opened(): void {
    this.tell('opened')
  }

  received(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.wake()
  }

  drained(): void {
    this.tell('drained')
  }

  closed(error: Error | null): void {
    this.error = error
    this.tell('closed')
  }

  /** Resolves when `condition` holds, looked at whenever something has happened. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.waiting.add(resolve))
  }

  async whenClosed(): Promise<void> {
    await this.until(() => this.story.at(-1) === 'closed')
  }

  private tell(what: string): void {
    this.story.push(what)
    this.wake()
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve()
    this.waiting.clear()
  }
}
