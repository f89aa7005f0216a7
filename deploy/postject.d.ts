/** What executable.ts uses of postject, which comes without types (1.0.0-alpha.6, api.js). */

declare module 'postject' {
  export function inject(
    filename: string,
    resourceName: string,
    resourceData: Buffer,
    options: { readonly sentinelFuse: string },
  ): Promise<void>
}
