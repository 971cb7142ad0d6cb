/** Where the bearer of a token could act. */
import { Type } from 'typebox';
import { endpoint, type Endpoint, type AnyCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { notAllowed } from '../faults.ts';
import { callerOf } from '../model/caller.ts';
import { catalogOf } from '../model/catalog-of.ts';
import type { Identity } from '../model/identity.ts';
import { tagsOfProjects } from '../store/projects.ts';
import { domainsOfUser, hasSystemRole } from '../store/user-projects.ts';
import { showDomain } from './domains.ts';
import { linkTo, listReply, whole } from './lists.ts';
import { originOf } from './links.ts';
import { rule } from './rules.ts';
import { shownProjectsOf } from './users.ts';

export const authRules: PolicyRule[] = [
  rule('get_auth_catalog', '', [], 'GET /v3/auth/catalog', 'Show the catalog of the token.'),
  rule('get_auth_projects', '', [], 'GET /v3/auth/projects', 'List the projects that one can have a token for.'),
  rule('get_auth_domains', '', [], 'GET /v3/auth/domains', 'List the domains that one can have a token for.'),
  rule('get_auth_system', '', [], 'GET /v3/auth/system', 'Ask whether one can have a token for the system.'),
];

const FEDERATED = [['projects', 'identity:get_auth_projects'], ['domains', 'identity:get_auth_domains']] as const;

export function authEndpoints(identity: Identity): Endpoint[] {
  const own = {
    projects: async (call: AnyCall) => whole(identity, call, 'projects', await shownProjectsOf(identity, call, await callerOf(identity, call.auth))),
    async domains(call: AnyCall) {
      const rows = await domainsOfUser(identity.db.read, await callerOf(identity, call.auth), identity.config.list_limit);
      const tags = await tagsOfProjects(identity.db.read, rows.map((row) => row.id));
      return whole(identity, call, 'domains', rows.map((row) => showDomain(identity, call, row, tags)));
    },
  };
  return [
    endpoint({
      id: 'identity:get_auth_catalog', method: 'GET', path: '/v3/auth/catalog', summary: 'Show the catalog', policy: 'identity:get_auth_catalog', reply: Type.Object({ catalog: Type.Array(Type.Object({ type: Type.String() })) }), status: 200,
      async handler(call) {
        const { user_id, project_id } = call.auth;
        if (project_id === undefined) throw notAllowed('catalog-without-project', 'A project-scoped token is required to produce a service catalog.');
              return { catalog: await catalogOf(identity, { origin: originOf(identity, call), user_id, project_id }), ...linkTo(identity, call, 'auth', 'catalog') };
      },
    }),
    endpoint({
      id: 'identity:get_auth_projects', method: 'GET', path: '/v3/auth/projects', summary: 'List own projects', policy: 'identity:get_auth_projects', reply: listReply('projects'), status: 200,
      handler: async (call) => await own.projects(call),
    }),
    endpoint({
      id: 'identity:get_auth_domains', method: 'GET', path: '/v3/auth/domains', summary: 'List own domains', policy: 'identity:get_auth_domains', reply: listReply('domains'), status: 200,
      handler: async (call) => await own.domains(call),
    }),
    ...FEDERATED.map(([list, id]) => endpoint({
      id: `identity:get_federated_${list}`, method: 'GET', path: `/v3/OS-FEDERATION/${list}`, summary: `List own ${list}, by an older address`, policy: id, reply: listReply(list), status: 200,
      handler: async (call) => await own[list](call),
    })),
    endpoint({
      id: 'identity:get_auth_system', method: 'GET', path: '/v3/auth/system', summary: 'Ask for the system', policy: 'identity:get_auth_system', reply: Type.Object({ system: Type.Array(Type.Object({ all: Type.Boolean() })) }), status: 200,
      async handler(call) {
        const system = (await hasSystemRole(identity.db.read, await callerOf(identity, call.auth))) ? [{ all: true }] : [];
        return { system, ...linkTo(identity, call, 'auth', 'system') };
      },
    }),
  ];
}
