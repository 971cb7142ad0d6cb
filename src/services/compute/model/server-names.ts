/** Names of new servers and of the hosts that they think they are. Pure. */

const HOSTNAME_MAX = 63;

/** Nova's rule: latin letters, digits and hyphens, lower case, at most 63 characters; may come out empty. */
export function sanitizeHostname(name: string): string {
  return [...name]
    .filter((char) => char.codePointAt(0)! <= 0xff)
    .join('')
    .slice(0, HOSTNAME_MAX)
    .replaceAll(/[ _.]/g, '-')
    .replaceAll(/[^a-zA-Z0-9-]+/g, '')
    .toLowerCase()
    .replaceAll(/^[.-]+|[.-]+$/g, '');
}

export interface ServerNames {
  name: string;
  hostname: string;
}

/** Name and hostname of the server number `index` of `count` that one call makes. */
export function serverNames(asked: { name: string; hostname: string | undefined }, id: string, index: number, count: number): ServerNames {
  const suffix = count > 1 ? `-${index + 1}` : '';
  const name = `${asked.name}${suffix}`;
  if (asked.hostname !== undefined && asked.hostname !== '') return { name, hostname: asked.hostname };
  const sanitized = sanitizeHostname(asked.name);
  if (sanitized === '') return { name, hostname: `server-${id}` };
  return { name, hostname: `${sanitized.slice(0, HOSTNAME_MAX - suffix.length)}${suffix}` };
}
