import { Type } from 'typebox';
import { type AnyCall, endpoint, reply, type Endpoint, type Call, type PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import { hexId } from '../../../kernel/ids.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch, notAllowed } from '../faults.ts';
import { accessId, createCredential, deleteCredential, isWithin, openCredential, updateCredential, type CredentialInput, type CredentialUpdate } from '../model/credentials.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { validateToken } from '../model/tokens.ts';
import { findCredential, listCredentials } from '../store/credentials.ts';
import type { CredentialRow } from '../store/tables.ts';
import { findUser } from '../store/users.ts';
import { collection, entryReply, exactly, linkTo, listReply, readList, whole, type Shown } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';
import { bodyOf } from './schemas.ts';

const LIST = '/v3/credentials';
const ONE = `${LIST}/{credential_id}` as const;
const EC2 = '/v3/users/{user_id}/credentials/OS-EC2';
const EC2_ONE = `${EC2}/{credential_id}` as const;
const OWN = 'user_id:%(target.credential.user_id)s';

export const credentialRules: PolicyRule[] = [
  rule('get_credential', `${ADMIN_OR_SYSTEM_READER} or ${OWN}`, ANY_SCOPE, `GET ${ONE}`, 'Show a credential.'),
  rule('list_credentials', `${ADMIN_OR_SYSTEM_READER} or ${OWN}`, ANY_SCOPE, `GET ${LIST}`, 'List credentials.'),
  rule('create_credential', `${ADMIN} or ${OWN}`, ANY_SCOPE, `POST ${LIST}`, 'Create a credential.'),
  rule('update_credential', `${ADMIN} or ${OWN}`, ANY_SCOPE, `PATCH ${ONE}`, 'Change the secret of a credential.'),
  rule('delete_credential', `${ADMIN} or ${OWN}`, ANY_SCOPE, `DELETE ${ONE}`, 'Delete a credential.'),
  rule('ec2_get_credential', `${ADMIN_OR_SYSTEM_READER} or ${OWN}`, SYSTEM_OR_PROJECT, `GET ${EC2_ONE}`, 'Show an EC2 credential.'),
  rule('ec2_list_credentials', `${ADMIN_OR_SYSTEM_READER} or rule:owner`, SYSTEM_OR_PROJECT, `GET ${EC2}`, 'List EC2 credentials.'),
  rule('ec2_create_credential', `${ADMIN} or (role:member and ${OWN})`, SYSTEM_OR_PROJECT, `POST ${EC2}`, 'Create an EC2 credential.'),
  rule('ec2_delete_credential', `${ADMIN} or (role:member and ${OWN})`, SYSTEM_OR_PROJECT, `DELETE ${EC2_ONE}`, 'Delete an EC2 credential.'),
];

const blob = Type.Union([Type.String({ maxLength: 65_535 }), Type.Object({})]);
const createBody = bodyOf('credential', Type.Object({
  type: Type.String({ minLength: 1, maxLength: 255 }), blob, user_id: Type.String({ maxLength: 64 }), project_id: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
}));
const sameText = Type.Optional(nullable(Type.String({ maxLength: 255 })));
const updateBody = bodyOf('credential', Type.Object({ blob: Type.Optional(blob), type: sameText, user_id: sameText, project_id: sameText }, { minProperties: 1, additionalProperties: false }));
const ec2Body = Type.Object({ tenant_id: Type.String({ maxLength: 64 }) });

function isDelegated({ auth }: AnyCall): boolean {
  return auth.application_credential_id !== undefined || auth.trust_id !== undefined || auth.access_token_id !== undefined;
}

/** A restricted application credential makes no keys that would do without it. */
async function assertUnrestricted(identity: Identity, call: AnyCall): Promise<void> {
  if (call.auth.application_credential_id === undefined || (await validateToken(identity, call.auth.token))?.restricted === false) return;
  throw notAllowed('restricted', "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional credentials.");
}

/** What was delegated for one project reaches the secrets of that project only. */
function assertReach(call: AnyCall, project_id: string | null): void {
  if (isDelegated(call) && project_id !== call.auth.project_id) {
    throw notAllowed('delegated', 'You are not authorized to perform the requested action: Credential project does not match the project scope of the delegated token.');
  }
}

/** The same for the keys in it, which are good for all that their user may do unless they were delegated too. */
function assertOrigin(identity: Identity, call: AnyCall, row: CredentialRow): void {
  if (!isWithin(openCredential(identity, row), call.auth)) throw notAllowed('delegated', 'You are not authorized to perform the requested action: The credential was not made by the delegation of the token.');
}

function showCredential(identity: Identity, call: AnyCall, row: CredentialRow): Shown {
  return { ...parseFields(row.extra), id: row.id, type: row.type, blob: row.blob, user_id: row.user_id, project_id: row.project_id, ...linkTo(identity, call, 'credentials', row.id) };
}

export function credentialEndpoints(identity: Identity): Endpoint[] {
  const target = async (call: { params: { credential_id: string } }) => ({ credential: await findCredential(identity.db.read, call.params.credential_id) });
  const reachable = async (call: PathCall): Promise<CredentialRow> => {
    const id = (call).params['credential_id'] as string;
    const row = await findCredential(identity.db.read, id);
    if (row === undefined) throw noSuch('credential', id);
    assertReach(call, row.project_id);
    assertOrigin(identity, call, row);
    return row;
  };
  return [
    endpoint({
      id: 'identity:list_credentials', method: 'GET', path: LIST, summary: 'List credentials', policy: 'identity:list_credentials', reply: listReply('credentials'), status: 200,
      // Whoever may not see all sees their own.
      target: (call) => ({ credential: { user_id: call.auth.user_id } }),
      async handler(call) {
        const options = readList(identity, call, { user_id: 'user_id', type: 'type' });
        if (!call.allows('identity:list_credentials', { credential: {} })) options.hints = [...options.hints, exactly('user_id', call.auth.user_id)];
        if (isDelegated(call)) options.hints = [...options.hints, exactly('project_id', call.auth.project_id ?? '')];
        const page = await listCredentials(identity.db.read, options);
        const rows = page.rows.map((row) => openCredential(identity, row));
        const shown = collection(identity, call, 'credentials', { ...page, rows }, (row) => showCredential(identity, call, row));
        return { ...shown, credentials: (shown['credentials'] as Shown[]).filter((_one, at) => isWithin(rows[at] as CredentialRow, call.auth)) };
      },
    }),
    endpoint({
      id: 'identity:create_credential', method: 'POST', path: LIST, summary: 'Create a credential', policy: 'identity:create_credential', body: createBody, reply: entryReply('credential'), status: 201,
      target: (call) => ({ credential: (call.body as { credential?: object } | undefined)?.credential ?? {} }),
      async handler(call) {
        const input = call.body.credential as CredentialInput;
        if (input.type.toLowerCase() === 'ec2') await assertUnrestricted(identity, call);
        assertReach(call, input.project_id ?? null);
        return { credential: showCredential(identity, call, await createCredential(identity, input, call.auth)) };
      },
    }),
    endpoint({
      id: 'identity:get_credential', method: 'GET', path: ONE, summary: 'Show a credential', policy: 'identity:get_credential', target, reply: entryReply('credential'), status: 200,
      handler: async (call) => ({ credential: showCredential(identity, call, openCredential(identity, await reachable(call))) }),
    }),
    endpoint({
      id: 'identity:update_credential', method: 'PATCH', path: ONE, summary: 'Change a credential', policy: 'identity:update_credential', target, body: updateBody, reply: entryReply('credential'), status: 200,
      async handler(call) {
        const row = await reachable(call);
        return { credential: showCredential(identity, call, await updateCredential(identity, row.id, call.body.credential as CredentialUpdate)) };
      },
    }),
    endpoint({
      id: 'identity:delete_credential', method: 'DELETE', path: ONE, summary: 'Delete a credential', policy: 'identity:delete_credential', target, status: 204,
      async handler(call) {
        await deleteCredential(identity, (await reachable(call)).id);
        return reply();
      },
    }),
    ...ec2Endpoints(identity),
  ];
}

function ec2Endpoints(identity: Identity): Endpoint[] {
  // Whose it is says the credential, not the path.
  const found = async ({ params }: { params: { user_id: string; credential_id: string } }): Promise<CredentialRow> => {
    const row = await findCredential(identity.db.read, accessId(params.credential_id));
    if (row?.type !== 'ec2') throw noSuch('credential', params.credential_id);
    return row;
  };
  const reachable = async (call: Call<{ user_id: string; credential_id: string }, unknown, unknown>): Promise<CredentialRow> => {
    if ((await findUser(identity.db.read, call.params.user_id)) === undefined) throw noSuch('user', call.params.user_id);
    const row = await found(call);
    assertReach(call, row.project_id);
    assertOrigin(identity, call, row);
    return row;
  };
  const target = async (call: { params: { user_id: string; credential_id: string } }) => ({ user_id: call.params.user_id, credential: await found(call) });
  const show = (call: PathCall, row: CredentialRow): Shown => {
    const { access, secret, trust_id } = JSON.parse(row.blob) as { access: string; secret: string; trust_id?: string };
    return { id: access, user_id: row.user_id, tenant_id: row.project_id, access, secret, trust_id: trust_id ?? null, ...linkTo(identity, call, 'users', row.user_id, 'credentials', 'OS-EC2', access) };
  };
  return [
    endpoint({
      id: 'identity:ec2_list_credentials', method: 'GET', path: EC2, summary: 'List EC2 credentials', policy: 'identity:ec2_list_credentials', reply: listReply('credentials'), status: 200,
      async handler(call) {
        const hints = [exactly('type', 'ec2'), exactly('user_id', call.params.user_id)];
        if (isDelegated(call)) hints.push(exactly('project_id', call.auth.project_id ?? ''));
        const { rows } = await listCredentials(identity.db.read, { hints, limit: identity.config.list_limit });
        const own = rows.map((row) => openCredential(identity, row)).filter((row) => isWithin(row, call.auth));
        return whole(identity, call, 'credentials', own.map((row) => show(call, row)));
      },
    }),
    endpoint({
      id: 'identity:ec2_create_credential', method: 'POST', path: EC2, summary: 'Create an EC2 credential', policy: 'identity:ec2_create_credential', body: ec2Body, reply: entryReply('credential', ['access', 'secret']), status: 201,
      target: (call) => ({ user_id: call.params.user_id, credential: { user_id: call.params.user_id } }),
      async handler(call) {
        await assertUnrestricted(identity, call);
        assertReach(call, call.body.tenant_id);
        const blob = { access: hexId(), secret: hexId() };
        const row = await createCredential(identity, { type: 'ec2', blob, user_id: call.params.user_id, project_id: call.body.tenant_id }, call.auth);
        return { credential: show(call, row) };
      },
    }),
    endpoint({
      id: 'identity:ec2_get_credential', method: 'GET', path: EC2_ONE, summary: 'Show an EC2 credential', policy: 'identity:ec2_get_credential', target, reply: entryReply('credential', ['access', 'secret']), status: 200,
      handler: async (call) => ({ credential: show(call, openCredential(identity, await reachable(call))) }),
    }),
    endpoint({
      id: 'identity:ec2_delete_credential', method: 'DELETE', path: EC2_ONE, summary: 'Delete an EC2 credential', policy: 'identity:ec2_delete_credential', target, status: 204,
      async handler(call) {
        await deleteCredential(identity, (await reachable(call)).id);
        return reply();
      },
    }),
  ];
}
