/** The json-home document: which resources there are, by the relation names that OpenStack gave them. */
import type { Endpoint } from '../../../kernel/api/endpoint.ts';

const RELATIONS = 'https://docs.openstack.org/api/openstack-identity/3';

interface Resource {
  href?: string;
  'href-template'?: string;
  'href-vars'?: Record<string, string>;
}

/** @param prefix what comes before each path, relative to the document: '/v3' at the root. */
export function jsonHome(endpoints: readonly Endpoint[], prefix: string): { resources: Record<string, Resource> } {
  const resources: Record<string, Resource> = {};
  const paths = [...new Set(endpoints.map((endpoint) => endpoint.path))].filter((path) => path.startsWith('/v3/') && path.length > 4);
  for (const path of paths) {
    const href = prefix + path.slice('/v3'.length);
    const names = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] as string);
    const variables = Object.fromEntries(names.map((name) => [name, `${RELATIONS}/param/${name}`]));
    resources[relation(path)] = names.length === 0 ? { href } : { 'href-template': href, 'href-vars': variables };
  }
  return { resources };
}

/** `/v3/users/{user_id}/projects` → `…/rel/user_projects`; extensions have a name space of their own. */
function relation(path: string): string {
  const parts = path.split('/').slice(2);
  const extension = parts[0]?.startsWith('OS-') === true ? parts.shift() : undefined;
  const words: string[] = [];
  parts.forEach((part, at) => {
    if (part.startsWith('{')) return;
    const single = parts[at + 1]?.startsWith('{') === true;
    words.push((single ? singular(part) : part).replaceAll('-', '_'));
  });
  const base = extension === undefined ? `${RELATIONS}/rel` : `https://docs.openstack.org/api/openstack-identity/3/ext/${extension}/1.0/rel`;
  return `${base}/${words.join('_')}`;
}

function singular(word: string): string {
  return word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.endsWith('s') ? word.slice(0, -1) : word;
}
