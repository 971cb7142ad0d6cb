/** Networking has no microversions: it announces its features as extensions (extensions.ts). */
export const VERSION = 'v2.0';
