import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { createDomain, deleteDomain, updateProject, type ProjectInput } from '../model/projects.ts';
import { findProject, listProjects, tagsOfProjects } from '../store/projects.ts';
import type { ProjectRow } from '../store/tables.ts';
import { collection, entryReply, exactly, linkTo, listReply, readList, type Shown, withinOwnDomain } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf, immutableOptions, nameString, optionalFlag, optionalText, tagList } from './schemas.ts';

const LIST = '/v3/domains';
const ONE = '/v3/domains/{domain_id}';

export const domainRules: PolicyRule[] = [
  rule('get_domain', `${ADMIN_OR_SYSTEM_READER} or domain_id:%(target.domain.id)s or project_domain_id:%(target.domain.id)s`, ANY_SCOPE, `GET ${ONE}`, 'Show a domain.'),
  rule('list_domains', `${ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain.id)s)`, ANY_SCOPE, `GET ${LIST}`, 'List domains.'),
  rule('create_domain', ADMIN, SYSTEM_OR_PROJECT, `POST ${LIST}`, 'Create a domain.'),
  rule('update_domain', ADMIN, SYSTEM_OR_PROJECT, `PATCH ${ONE}`, 'Change a domain.'),
  rule('delete_domain', ADMIN, SYSTEM_OR_PROJECT, `DELETE ${ONE}`, 'Delete a domain and all in it.'),
];

const fields = { description: optionalText, enabled: optionalFlag, tags: Type.Optional(tagList), options: immutableOptions };
const createBody = bodyOf('domain', Type.Object({ ...fields, name: nameString(64), explicit_domain_id: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })) }));
const updateBody = bodyOf('domain', Type.Object({ ...fields, name: Type.Optional(nameString(64)) }));

export function showDomain(identity: Identity, call: AnyCall, row: ProjectRow, tags: ReadonlyMap<string, string[]>): Shown {
  return {
    ...parseFields(row.extra),
    id: row.id, name: row.name, description: row.description, enabled: row.enabled === 1, tags: tags.get(row.id) ?? [], options: parseFields(row.options),
    ...linkTo(identity, call, 'domains', row.id),
  };
}

export function domainEndpoints(identity: Identity): Endpoint[] {
  const target = async (call: { params: { domain_id: string } }) => {
    const row = await findProject(identity.db.read, call.params.domain_id);
    if (row === undefined || row.is_domain === 0) throw noSuch('domain', call.params.domain_id);
    return { domain: { id: row.id } };
  };
  const one = async (row: ProjectRow, call: AnyCall) => ({ domain: showDomain(identity, call, row, await tagsOfProjects(identity.db.read, [row.id])) });
  return [
    endpoint({
      id: 'identity:list_domains', method: 'GET', path: LIST, summary: 'List domains', policy: 'identity:list_domains', reply: listReply('domains'), status: 200,
      target: (call) => ({ domain: { id: call.auth.domain_id } }),
      async handler(call) {
        const options = withinOwnDomain(call, readList(identity, call, { name: 'name', enabled: { flag: 'enabled' } }), 'id');
        options.hints = [...options.hints, exactly('domain_id', ''), exactly('is_domain', 1)];
        const page = await listProjects(identity.db.read, options, undefined);
        const tags = await tagsOfProjects(identity.db.read, page.rows.map((row) => row.id));
        return collection(identity, call, 'domains', page, (row) => showDomain(identity, call, row, tags));
      },
    }),
    endpoint({
      id: 'identity:create_domain', method: 'POST', path: LIST, summary: 'Create a domain', policy: 'identity:create_domain', body: createBody, reply: entryReply('domain'), status: 201,
      handler: async (call) => await one(await createDomain(identity, call.body.domain as unknown as ProjectInput), call),
    }),
    endpoint({
      id: 'identity:get_domain', method: 'GET', path: ONE, summary: 'Show a domain', policy: 'identity:get_domain', reply: entryReply('domain'), status: 200,
      target: (call) => ({ domain: { id: call.params.domain_id } }),
      async handler(call) {
        const row = await findProject(identity.db.read, call.params.domain_id);
        if (row === undefined || row.is_domain === 0) throw noSuch('domain', call.params.domain_id);
        return await one(row, call);
      },
    }),
    endpoint({
      id: 'identity:update_domain', method: 'PATCH', path: ONE, summary: 'Change a domain', policy: 'identity:update_domain', target, body: updateBody, reply: entryReply('domain'), status: 200,
      handler: async (call) => await one(await updateProject(identity, call.params.domain_id, call.body.domain as Partial<ProjectInput>, 'domain'), call),
    }),
    endpoint({
      id: 'identity:delete_domain', method: 'DELETE', path: ONE, summary: 'Delete a domain', policy: 'identity:delete_domain', target, status: 204,
      async handler(call) {
        await deleteDomain(identity, call.params.domain_id);
        return reply();
      },
    }),
  ];
}
