import { unavailable } from '../../../../kernel/fault.ts';

/** 20.10 speaks 1.41; older engines lack what the driver needs. */
export const OLDEST_API = '1.41';
/** The newest API whose changes have been read. */
export const NEWEST_API = '1.51';

/** @returns the version to speak; a fault `compute.engine-version` when the two have none in common. */
export function negotiate(server: { ApiVersion: string; MinAPIVersion?: string }): string {
  const version = compareApi(server.ApiVersion, NEWEST_API) < 0 ? server.ApiVersion : NEWEST_API;
  if (compareApi(version, OLDEST_API) < 0) {
    throw unavailable(
      'compute.engine-version',
      `The Docker engine of this node speaks API ${server.ApiVersion}; ${OLDEST_API} or newer (Docker 20.10) is needed.`,
    );
  }
  if (server.MinAPIVersion !== undefined && compareApi(server.MinAPIVersion, version) > 0) {
    throw unavailable(
      'compute.engine-version',
      `The Docker engine of this node wants API ${server.MinAPIVersion} or newer; the newest supported is ${NEWEST_API}.`,
    );
  }
  return version;
}

/** Compares `1.9` and `1.10` by number. */
export function compareApi(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

/** `20.10.24+dfsg1` → 20010024: how Nova shows a hypervisor's version. */
export function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = (text.match(/\d+/g) ?? []).map(Number);
  return major * 1_000_000 + minor * 1_000 + patch;
}
