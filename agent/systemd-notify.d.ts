/** What service-manager.ts uses of systemd-notify, which comes without types (1.0.0, notify.js). */

declare module 'systemd-notify' {
  export default function notify(options: {
    readonly ready?: boolean
    readonly status?: string
  }): Promise<unknown>
}
