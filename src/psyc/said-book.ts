/** What members asked to be said and the host has said, remembered so that it is said once. */

import type { ZoneKey } from '../base/ids.ts'
import { encodeBase32 } from '../wire/base32.ts'
import type { Message } from './channel.ts'

/** More than anybody asks again for. */
const SAID_MAX = 4_096

export class SaidBook {
  private readonly said = new Set<string>()

  has(author: ZoneKey, tag: Uint8Array): boolean {
    return this.said.has(keyOf(encodeBase32(author), encodeBase32(tag)))
  }

  /** Takes down a message that has a tag. */
  note(message: Message | null): void {
    if (!message) return
    const text = (name: string) => {
      const found = message.entity.find(one => one.name === name)
      return found ? new TextDecoder().decode(found.value) : ''
    }
    const tag = text('_tag_relay')
    if (tag === '') return
    this.said.add(keyOf(text('_nym_author'), tag))
    if (this.said.size > SAID_MAX) this.said.delete(this.said.values().next().value!)
  }
}

const keyOf = (author: string, tag: string): string => `${author} ${tag}`
