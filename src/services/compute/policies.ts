/** Nova's rules for servers and what belongs to them, with today's defaults. */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';
import { ADMIN, MANAGER, MEMBER, READER, rule } from './api/rules.ts';

const server = '/servers/{server_id}';
const action = `POST ${server}/action` as const;
const servers = (name: string): string => `servers:${name}`;

const serverRules: PolicyRule[] = [
  rule(servers('index'), READER, 'List servers.', 'GET /servers'),
  rule(servers('detail'), READER, 'List servers with all attributes.', 'GET /servers/detail'),
  rule(servers('index:get_all_tenants'), ADMIN, 'List the servers of all projects.', 'GET /servers'),
  rule(servers('detail:get_all_tenants'), ADMIN, 'List the servers of all projects with all attributes.', 'GET /servers/detail'),
  rule(servers('allow_all_filters'), ADMIN, 'Use every filter on lists of servers.', 'GET /servers', 'GET /servers/detail'),
  rule(servers('show'), READER, 'Show a server.', `GET ${server}`),
  rule(servers('show:flavor-extra-specs'), READER, 'See extra specs in the embedded flavor.', `GET ${server}`, 'GET /servers/detail', `PUT ${server}`),
  rule(servers('show:host_status'), ADMIN, "See the state of a server's host.", `GET ${server}`, 'GET /servers/detail'),
  rule(servers('show:host_status:unknown-only'), ADMIN, "See that the state of a server's host is unknown.", `GET ${server}`, 'GET /servers/detail'),
  rule(servers('create'), MEMBER, 'Create a server.', 'POST /servers'),
  rule(servers('create:forced_host'), ADMIN, 'Create a server on a host by zone:host:node.', 'POST /servers'),
  policyRule('compute:servers:create:requested_destination', ADMIN, ['project'], 'Create a server on a host, which is checked.', 'POST /v2.1/servers'),
  rule(servers('create:attach_network'), MEMBER, 'Create a server with networks.', 'POST /servers'),
  rule(servers('create:zero_disk_flavor'), ADMIN, 'Create a server of a flavor without a disk limit.', 'POST /servers'),
  rule(servers('delete'), MEMBER, 'Delete a server.', `DELETE ${server}`),
  rule(servers('update'), MEMBER, 'Update a server.', `PUT ${server}`),
  rule(servers('reboot'), MEMBER, 'Reboot a server.', action),
  rule(servers('start'), MEMBER, 'Start a server.', action),
  rule(servers('stop'), MEMBER, 'Stop a server.', action),
  rule('os-extended-server-attributes', ADMIN, 'See host, instance name and more of a server.', `GET ${server}`, 'GET /servers/detail'),
];

const actionRules: PolicyRule[] = [
  rule('os-pause-server:pause', MEMBER, 'Pause a server.', action),
  rule('os-pause-server:unpause', MEMBER, 'Unpause a server.', action),
  rule(servers('rebuild'), MEMBER, 'Make a server anew of an image.', action),
  rule(servers('rebuild:trusted_certs'), MEMBER, 'Name certificates that the image of a rebuilt server is checked with.', action),
  rule('os-shelve:shelve', MEMBER, 'Put a server on the shelf.', action),
  rule('os-shelve:unshelve', MEMBER, 'Bring a server back from the shelf.', action),
  rule('os-shelve:unshelve_to_host', ADMIN, 'Say to which host a server comes back from the shelf.', action),
  rule('os-shelve:shelve_offload', ADMIN, 'Take a shelved server off its host.', action),
  rule(servers('create_image'), MEMBER, 'Make an image of a server.', action),
  rule('os-create-backup', MEMBER, 'Make an image of a server, in place of the oldest one of its kind.', action),
  rule('os-lock-server:lock', MEMBER, 'Lock a server.', action),
  rule('os-lock-server:unlock', MEMBER, 'Unlock a server.', action),
  rule('os-lock-server:unlock:unlock_override', ADMIN, 'Unlock a server that someone else has locked.', action),
  rule('os-admin-actions:reset_state', ADMIN, 'Set the state of a server by hand.', action),
  rule('os-admin-password', MEMBER, 'Change the password of a server.', action),
  rule('os-deferred-delete:restore', MEMBER, 'Bring back a server that was soft-deleted.', action),
  rule('os-deferred-delete:force', MEMBER, 'Delete a server at once.', action),
  rule('os-console-output', MEMBER, 'Read the console log of a server.', action),
  rule('os-security-groups:list', READER, 'List the security groups of a server.', `GET ${server}/os-security-groups`),
  rule('os-security-groups:add', MEMBER, 'Add a security group to a server.', action),
  rule('os-security-groups:remove', MEMBER, 'Remove a security group from a server.', action),
];

const moveRules: PolicyRule[] = [
  rule(servers('resize'), MEMBER, 'Resize a server.', action),
  rule(servers('confirm_resize'), MEMBER, 'Confirm the resize of a server.', action),
  rule(servers('revert_resize'), MEMBER, 'Revert the resize of a server.', action),
  rule('os-migrate-server:migrate', MANAGER, 'Move a server to another host.', action),
  rule('os-migrate-server:migrate:host', ADMIN, 'Say which host a server is moved to.', action),
  rule('os-migrate-server:migrate_live', MANAGER, 'Ask for a move of a server that runs, which is refused.', action),
  rule('os-migrate-server:migrate_live:host', ADMIN, 'Say which host a server that runs is moved to.', action),
  rule('os-evacuate', ADMIN, 'Make a server anew that was on a host which is down.', action),
];

/** Of actions that are known and refused: who may not even ask is told so first. */
const refusedRules: PolicyRule[] = [
  ...['trigger_crash_dump'].map((name) => rule(servers(name), MEMBER, `Do ${name} on a server.`, action)),
  ...['os-suspend-server:suspend', 'os-suspend-server:resume', 'os-rescue', 'os-unrescue'].map((name) =>
    rule(name, MEMBER, `Do ${name} on a server.`, action),
  ),
];

const partRules: PolicyRule[] = [
  ...(['index', 'show'] as const).map((name) => rule(`server-metadata:${name}`, READER, 'Read metadata of a server.', `GET ${server}/metadata`)),
  ...(['create', 'update', 'update_all', 'delete'] as const).map((name) =>
    rule(`server-metadata:${name}`, MEMBER, 'Write metadata of a server.', `POST ${server}/metadata`, `PUT ${server}/metadata/{key}`),
  ),
  ...(['index', 'show'] as const).map((name) => rule(`os-server-tags:${name}`, READER, 'Read tags of a server.', `GET ${server}/tags`)),
  ...(['update', 'update_all', 'delete', 'delete_all'] as const).map((name) =>
    rule(`os-server-tags:${name}`, MEMBER, 'Write tags of a server.', `PUT ${server}/tags`, `DELETE ${server}/tags`),
  ),
  ...(['index', 'show'] as const).map((name) => rule(`ips:${name}`, READER, 'Read addresses of a server.', `GET ${server}/ips`)),
  ...(['list', 'show'] as const).map((name) => rule(`os-attach-interfaces:${name}`, READER, 'Read the interfaces of a server.', `GET ${server}/os-interface`)),
  rule('os-attach-interfaces:create', MEMBER, 'Attach an interface to a server.', `POST ${server}/os-interface`),
  rule('os-multinic:add', MEMBER, 'Give a server one more address.', `POST ${server}/action`),
  rule('os-multinic:remove', MEMBER, 'Take an address from a server.', `POST ${server}/action`),
  rule('os-attach-interfaces:delete', MEMBER, 'Detach an interface from a server.', `DELETE ${server}/os-interface/{port_id}`),
  ...(['list', 'show'] as const).map((name) => rule(`os-instance-actions:${name}`, READER, 'Read what was done to a server.', `GET ${server}/os-instance-actions`)),
  rule('os-instance-actions:events', ADMIN, 'Read the events of an action in full.', `GET ${server}/os-instance-actions/{request_id}`),
  rule('os-instance-actions:events:details', ADMIN, 'Read the details of events.', `GET ${server}/os-instance-actions/{request_id}`),
  rule('os-server-password:show', READER, 'Read the encrypted password of a server.', `GET ${server}/os-server-password`),
  rule('os-server-password:clear', MEMBER, 'Forget the encrypted password of a server.', `DELETE ${server}/os-server-password`),
  rule('os-server-diagnostics', ADMIN, 'Read the diagnostics of a server.', `GET ${server}/diagnostics`),
];

const groupRules: PolicyRule[] = [
  rule('os-server-groups:create', MEMBER, 'Create a server group.', 'POST /os-server-groups'),
  rule('os-server-groups:delete', MEMBER, 'Delete a server group.', 'DELETE /os-server-groups/{server_group_id}'),
  rule('os-server-groups:index', READER, 'List server groups.', 'GET /os-server-groups'),
  rule('os-server-groups:index:all_projects', ADMIN, 'List the server groups of all projects.', 'GET /os-server-groups'),
  rule('os-server-groups:show', READER, 'Show a server group.', 'GET /os-server-groups/{server_group_id}'),
];

export const serverPolicies: PolicyRule[] = [...serverRules, ...actionRules, ...moveRules, ...refusedRules, ...partRules, ...groupRules];
