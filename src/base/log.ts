/** What happened, for those who run the program. One event a line: area, event, fields. Never a secret. */

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Fields = Readonly<Record<string, string | number | boolean | null>>

export interface Log {
  /** `area` is the layer (`core`, `cadet`), `event` a constant text; what varies is in the fields. */
  note(level: Level, area: string, event: string, fields?: Fields): void
}

export const silentLog: Log = { note: () => {} }
