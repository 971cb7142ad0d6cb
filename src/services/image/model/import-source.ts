/** Where an import may take its data from: `http://…`, `https://…`, `docker://[registry/]name[:tag|@digest]`. */
import { badRequest } from '../../../kernel/fault.ts';
import { checkOutbound, type OutboundRules, type Resolve } from '../../../kernel/http/outbound.ts';
import type { ImageConfig } from '../config.ts';
import type { ImageRow } from '../store/tables.ts';

/** An image in a registry. */
export interface DockerReference {
  /** `http://host:port` or `https://host`. */
  registry: URL;
  /** `library/alpine` */
  name: string;
  /** Tag or `sha256:…`. */
  reference: string;
}

const HUB = 'registry-1.docker.io';
const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

const bad = (uri: string, why: string) => badRequest('image.import-uri', `URI for web-download does not pass filtering: ${uri.slice(0, 500)} (${why})`);

export const isDocker = (uri: string): boolean => /^docker:\/\//i.test(uri);

export function outboundRules(config: ImageConfig): OutboundRules {
  return { schemes: ['http', 'https'], ports: config.import_allowed_ports, allowed_hosts: config.import_allowed_hosts };
}

/** @param uri `docker://…`, in the words of the docker command: without a registry, Docker's own is meant. Faults: 400 */
export function parseDockerUri(uri: string, config: Pick<ImageConfig, 'import_plain_registries'>): DockerReference {
  const path = uri.replace(/^docker:\/\//i, '');
  const slash = path.indexOf('/');
  const first = slash === -1 ? '' : path.slice(0, slash);
  const named = /[.:]/.test(first) || first === 'localhost';
  const host = named ? first : HUB;
  const rest = named ? path.slice(slash + 1) : path;
  const [, bare = '', tag, digest] = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(rest) ?? [];
  const official = host === 'docker.io' || host === 'index.docker.io' ? HUB : host;
  const name = official === HUB && !bare.includes('/') ? `library/${bare}` : bare;
  if (!NAME.test(name) || name.length > 255) throw bad(uri, 'it names no image of a registry');
  if (tag !== undefined && !TAG.test(tag)) throw bad(uri, 'its tag is none');
  if (digest !== undefined && !DIGEST.test(digest)) throw bad(uri, 'its digest is no sha256');
  const plain = config.import_plain_registries.includes(official);
  const url = `${plain ? 'http' : 'https'}://${official}/`;
  if (!URL.canParse(url) || new URL(url).pathname !== '/') throw bad(uri, 'it names no registry');
  return { registry: new URL(url), name, reference: digest ?? tag ?? 'latest' };
}

/** Refuses what would be refused later, when the caller can still be told. Faults: 400 */
export async function checkSource(uri: string | undefined, row: Pick<ImageRow, 'container_format'>, config: ImageConfig, resolve: Resolve): Promise<void> {
  if (uri === undefined || uri === '') throw bad('', 'there is none');
  if (isDocker(uri)) {
    if (row.container_format !== 'docker') throw badRequest('image.import-format', "What comes from a registry has the container_format 'docker'.");
    await checkOutbound(parseDockerUri(uri, config).registry, outboundRules(config), resolve).catch((error: Error) => Promise.reject(bad(uri, error.message)));
    return;
  }
  if (!URL.canParse(uri)) throw bad(uri, 'it is no address');
  await checkOutbound(new URL(uri), outboundRules(config), resolve).catch((error: Error) => Promise.reject(bad(uri, error.message)));
}
