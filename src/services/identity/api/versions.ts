import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type Reply } from '../../../kernel/api/endpoint.ts';
import type { Identity } from '../model/identity.ts';
import { currentGeneration } from '../store/state.ts';
import { jsonHome } from './json-home.ts';
import { originOf, v3Of } from './links.ts';

const versionReply = Type.Object({ id: Type.String(), status: Type.String(), updated: Type.String(), links: Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })) });

export function discoveryEndpoints(identity: Identity, all: () => Endpoint[]): Endpoint[] {
  const versions = (call: AnyCall): Reply => {
    if (wantsHome(call)) return home(all, '/v3');
    return reply({ versions: { values: [version(identity, call)] } }, { status: 300, headers: { location: `${v3Of(identity, call)}/` } });
  };
  const v3 = (call: AnyCall): Reply => (wantsHome(call) ? home(all, '') : reply({ version: version(identity, call) }));
  const root = { method: 'GET', summary: 'Which versions there are', policy: 'public', status: 300 } as const;
  const single = { method: 'GET', summary: 'Version 3', policy: 'public', status: 200, reply: Type.Object({ version: Type.Optional(versionReply) }) } as const;
  return [
    endpoint({ ...root, id: 'identity:list_versions', path: '', handler: (call) => versions(call) }),
    endpoint({ ...root, id: 'identity:list_versions_slash', path: '/', handler: (call) => versions(call) }),
    endpoint({ ...single, id: 'identity:get_version', path: '/v3', handler: (call) => v3(call) }),
    endpoint({ ...single, id: 'identity:get_version_slash', path: '/v3/', handler: (call) => v3(call) }),
    endpoint({
      id: 'identity:healthcheck', method: 'GET', path: '/healthcheck', summary: 'Whether identity can work', policy: 'public', status: 200, reply: 'text',
      async handler() {
        await currentGeneration(identity.db.read);
        return reply('OK', { headers: { 'content-type': 'text/plain' } });
      },
    }),
  ];
}

function version(identity: Identity, call: AnyCall): Record<string, unknown> {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${originOf(identity, call)}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

/** Whether the caller would rather have json-home than plain JSON. */
function wantsHome(call: AnyCall): boolean {
  const weight = (type: string): number => {
    const entry = (call.headers.accept ?? '').split(',').map((part) => part.trim().split(';')).find(([name]) => name === type);
    if (entry === undefined) return 0;
    const quality = entry.slice(1).map((parameter) => /^\s*q=([\d.]+)\s*$/.exec(parameter)?.[1]).find((text) => text !== undefined);
    return quality === undefined ? 1 : Number(quality);
  };
  return weight('application/json-home') > weight('application/json');
}

function home(all: () => Endpoint[], prefix: string): Reply {
  return reply(jsonHome(all(), prefix), { headers: { 'content-type': 'application/json-home' } });
}
