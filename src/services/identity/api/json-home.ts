/** The json-home document: which resources there are, by the relation names that OpenStack gave them. */
import type { Endpoint } from '../../../kernel/api/endpoint.ts';

const RELATIONS = 'https://docs.openstack.org/api/openstack-identity/3';

const extension = (name: string, word: string): string => `${RELATIONS}/ext/${name}/1.0/rel/${word}`;

/** Those whose name does not follow from the path; '' for one that has none of its own. */
const NAMED: Readonly<Record<string, string>> = {
  '/v3/domains/{domain_id}/config/{group}': `${RELATIONS}/rel/domain_config_group`,
  '/v3/domains/{domain_id}/config/{group}/{option}': `${RELATIONS}/rel/domain_config_option`,
  '/v3/domains/{domain_id}/config/security_compliance': '',
  '/v3/domains/{domain_id}/config/security_compliance/{option}': '',
  '/v3/domains/config/default': `${RELATIONS}/rel/domain_config_default`,
  '/v3/domains/config/{group}/default': `${RELATIONS}/rel/domain_config_default_group`,
  '/v3/domains/config/{group}/{option}/default': `${RELATIONS}/rel/domain_config_default_option`,
  '/v3/limits/model': `${RELATIONS}/rel/limit_model`,
  '/v3/ec2tokens': extension('OS-EC2', 'ec2tokens'),
  '/v3/s3tokens': extension('s3tokens', 's3tokens'),
  '/v3/OS-OAUTH1/request_token': extension('OS-OAUTH1', 'request_tokens'),
  '/v3/OS-OAUTH1/access_token': extension('OS-OAUTH1', 'access_tokens'),
  '/v3/OS-OAUTH1/authorize/{request_token_id}': extension('OS-OAUTH1', 'authorize_request_token'),
  '/v3/users/{user_id}/OS-OAUTH1/access_tokens': extension('OS-OAUTH1', 'user_access_tokens'),
  '/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}': extension('OS-OAUTH1', 'user_access_token'),
  '/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles': extension('OS-OAUTH1', 'user_access_token_roles'),
  '/v3/users/{user_id}/OS-OAUTH1/access_tokens/{access_token_id}/roles/{role_id}': extension('OS-OAUTH1', 'user_access_token_role'),
};

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
    const name = NAMED[path] ?? relation(path);
    if (name !== '') resources[name] = names.length === 0 ? { href } : { 'href-template': href, 'href-vars': variables };
  }
  return { resources };
}

/** `/v3/users/{user_id}/projects` → `…/rel/user_projects`; extensions have a name space of their own. */
function relation(path: string): string {
  const parts = path.split('/').slice(2);
  const space = parts[0]?.startsWith('OS-') === true ? parts.shift() : undefined;
  const words: string[] = [];
  parts.forEach((part, at) => {
    if (part.startsWith('{')) return;
    const single = parts[at + 1]?.startsWith('{') === true;
    words.push((single ? singular(part) : part).replaceAll('-', '_'));
  });
  const name = words.join('_');
  return space === undefined ? `${RELATIONS}/rel/${name}` : extension(space, name);
}

function singular(word: string): string {
  return word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.endsWith('s') ? word.slice(0, -1) : word;
}
