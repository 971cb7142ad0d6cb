import { Type } from 'typebox';
import { type Call, endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { nextLinks } from '../../../kernel/api/list.ts';
import { since } from '../../../kernel/api/microversion.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import { badRequest } from '../../../kernel/fault.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { ComputeDeps } from '../deps.ts';
import { createKeypair, getKeypair, keypairNotFound, removeKeypair } from '../model/keypairs.ts';
import { listKeypairs, type NumberedKeypairRow } from '../store/keypairs.ts';
import { versions } from '../versions.ts';
import { markerNotFound, pageLimit, strictQuery } from './common.ts';
import { nameText } from './parameters.ts';
import { rule } from './rules.ts';
import { readerOf } from './server-target.ts';

const keyType = Type.Union([Type.Literal('ssh'), Type.Literal('x509')]);
const OLD_NAME = /^[ a-zA-Z0-9_-]+$/;
const NEW_NAME = /^[ a-zA-Z0-9_@.-]+$/;

const newKeypair = Type.Object(
  {
    name: nameText,
    public_key: Type.Optional(Type.String()),
    type: Type.Optional(since(versions.KEYPAIR_TYPE, keyType)),
    user_id: Type.Optional(since(versions.KEYPAIR_USER, Type.String())),
  },
  { additionalProperties: false },
);

const brief = { name: Type.String(), public_key: Type.String(), fingerprint: Type.String(), type: since(versions.KEYPAIR_TYPE, keyType) };

const briefView = (row: NumberedKeypairRow) => ({
  name: row.name,
  public_key: row.public_key,
  fingerprint: row.fingerprint,
  type: row.type as 'ssh' | 'x509',
});

/** Whose key pair a call is about; administrators may name another user from 2.10 on. */
function userOf(call: Pick<Call, 'auth' | 'version' | 'url'>): string {
  const named = call.version >= versions.KEYPAIR_USER ? call.url.searchParams.get('user_id') : null;
  return named === null || named === '' ? call.auth.user_id : named;
}

const byQuery = (call: Pick<Call, 'auth' | 'version' | 'url'>) => ({ user_id: userOf(call) });

/** The body is not yet checked here. */
function newOwner(call: Pick<Call, 'auth' | 'version'> & { body: unknown }): { user_id: string } {
  const asked = (call.body as { keypair?: { user_id?: unknown } } | null | undefined)?.keypair?.user_id;
  const named = call.version >= versions.KEYPAIR_USER && typeof asked === 'string' && asked !== '';
  return { user_id: named ? asked : call.auth.user_id };
}

/** @throws Fault 400 for characters that a name may not have at this version. */
function checkName(call: Pick<Call, 'version'>, name: string): void {
  const pattern = call.version >= versions.KEYPAIR_IMPORT_ONLY ? NEW_NAME : OLD_NAME;
  if (!pattern.test(name)) {
    throw badRequest('compute.keypair-name', `Invalid input for field/attribute name. Value: ${name}. '${name}' does not match '${pattern.source}'`);
  }
}

const query = Type.Object({ user_id: Type.Optional(Type.String()) });
const PATH = '/v2.1/os-keypairs';

const readEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'keypairs:list', method: 'GET', path: PATH, summary: 'List key pairs of a user', policy: 'os_compute_api:os-keypairs:index', target: byQuery, status: 200,
    query: Type.Object({
      user_id: Type.Optional(Type.String()),
      limit: Type.Optional(since(versions.KEYPAIR_PAGES, Type.Integer({ minimum: 0 }))),
      marker: Type.Optional(since(versions.KEYPAIR_PAGES, Type.String())),
    }),
    reply: Type.Object({ keypairs: Type.Array(Type.Object({ keypair: Type.Object(brief) })) }),
    async handler(call) {
      strictQuery(call, ['user_id', 'limit', 'marker']);
      const { limit, marker } = call.version >= versions.KEYPAIR_PAGES ? call.query : {};
      const found = await listKeypairs(readerOf(deps), userOf(call), pageLimit(deps.config, limit), marker);
      if (found === undefined) throw markerNotFound(marker ?? '');
      const links = call.version >= versions.KEYPAIR_PAGES ? nextLinks(call, found.more, found.rows.at(-1)?.name) : undefined;
      return { keypairs: found.rows.map((row) => ({ keypair: briefView(row) })), ...(links === undefined ? {} : { keypairs_links: links }) };
    },
  }),
  endpoint({
    id: 'keypairs:show', method: 'GET', path: `${PATH}/{name}`, summary: 'Show a key pair', policy: 'os_compute_api:os-keypairs:show', target: byQuery, status: 200,
    query,
    reply: Type.Object({
      keypair: Type.Object({
        ...brief, user_id: Type.String(), id: Type.Integer(), created_at: Type.String(), updated_at: Type.Null(), deleted: Type.Boolean(), deleted_at: Type.Null(),
      }),
    }),
    async handler(call) {
      strictQuery(call, ['user_id']);
      const user_id = userOf(call);
      const row = await getKeypair(deps, user_id, call.params.name);
      if (row === undefined) throw keypairNotFound(user_id, call.params.name);
      const created_at = isoMicrosNoZone(row.created_at);
      return { keypair: { ...briefView(row), user_id, id: row.number, created_at, updated_at: null, deleted: false, deleted_at: null } };
    },
  }),
];

const writeEndpoints = (deps: ComputeDeps): Endpoint[] => [
  endpoint({
    id: 'keypairs:create', method: 'POST', path: PATH, summary: 'Import or make a key pair', policy: 'os_compute_api:os-keypairs:create', target: newOwner, status: 201,
    body: Type.Object({ keypair: newKeypair }, { additionalProperties: false }),
    reply: Type.Object({ keypair: Type.Object({ ...brief, user_id: Type.String(), private_key: Type.Optional(Type.String()) }) }),
    async handler(call) {
      const { name, public_key, type } = call.body.keypair;
      checkName(call, name);
      if (public_key === undefined && call.version >= versions.KEYPAIR_IMPORT_ONLY) throw badRequest('compute.keypair-invalid', "'public_key' is a required property");
      const { user_id } = newOwner(call);
      const made = await createKeypair(deps, { user_id, project_id: call.auth.project_id, name, type: type ?? 'ssh', public_key });
      const keypair = { ...briefView(made.row), user_id, ...(made.private_key === undefined ? {} : { private_key: made.private_key }) };
      return reply({ keypair }, { status: call.version < versions.KEYPAIR_TYPE ? 200 : 201 });
    },
  }),
  endpoint({
    id: 'keypairs:delete', method: 'DELETE', path: `${PATH}/{name}`, summary: 'Delete a key pair', policy: 'os_compute_api:os-keypairs:delete', target: byQuery, status: 204,
    query,
    async handler(call) {
      strictQuery(call, ['user_id']);
      await removeKeypair(deps, userOf(call), call.params.name);
      return reply(undefined, { status: call.version < versions.KEYPAIR_TYPE ? 202 : 204 });
    },
  }),
];

export const keypairEndpoints = (deps: ComputeDeps): Endpoint[] => [...readEndpoints(deps), ...writeEndpoints(deps)];

const ADMIN_OR_USER = '(rule:context_is_admin) or user_id:%(user_id)s';

export const keypairPolicies: PolicyRule[] = [
  rule('os-keypairs:index', ADMIN_OR_USER, 'List the key pairs of a user.', 'GET /os-keypairs'),
  rule('os-keypairs:create', ADMIN_OR_USER, 'Import or make a key pair.', 'POST /os-keypairs'),
  rule('os-keypairs:show', ADMIN_OR_USER, 'Show a key pair.', 'GET /os-keypairs/{keypair_name}'),
  rule('os-keypairs:delete', ADMIN_OR_USER, 'Delete a key pair.', 'DELETE /os-keypairs/{keypair_name}'),
];
