/** Whom we believe that a request came in elsewhere before. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Proxies on this host. */
export const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1'];

/**
 * Takes the X-Forwarded-* headers off whatever does not come from one of these: links and redirects are made from them.
 * @param trusted addresses and networks such as `192.0.2.0/24`
 * @throws Error naming the entry that is neither.
 */
export function forwardedOnlyBy(trusted: readonly string[]): (request: IncomingMessage) => void {
  const proxies = listOf(trusted);
  return (request) => {
    const names = Object.keys(request.headers).filter((name) => name.startsWith('x-forwarded-'));
    if (names.length === 0 || holds(proxies, request.socket.remoteAddress)) return;
    for (const name of names) delete request.headers[name];
  };
}

function listOf(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', length, ...rest] = entry.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const bits = length === undefined ? most : Number(length);
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(length ?? '0') || bits > most) throw new Error(`[api] trusted_proxies: "${entry}" is neither an address nor a network such as 192.0.2.0/24`);
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function holds(list: BlockList, address: string | undefined): boolean {
  if (address === undefined) return false;
  // as a socket for both families writes it
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}
