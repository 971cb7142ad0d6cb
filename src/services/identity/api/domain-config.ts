import { Type } from 'typebox';
import { endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { createDomainConfig, defaultConfig, deleteDomainConfig, getDomainConfig, securityCompliance, updateDomainConfig } from '../model/domain-config.ts';
import type { Fields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import type { ConfigPart } from '../store/domain-config.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, ANY_SCOPE, rule, SYSTEM_OR_PROJECT } from './rules.ts';

const CONFIG = '/v3/domains/{domain_id}/config';
const PARTS = [CONFIG, `${CONFIG}/{group}`, `${CONFIG}/{group}/{option}`];
const DEFAULTS = ['/v3/domains/config/default', '/v3/domains/config/{group}/default', '/v3/domains/config/{group}/{option}/default'];
const COMPLIANCE = [`${CONFIG}/security_compliance`, `${CONFIG}/security_compliance/{option}`];

const each = (method: string, paths: readonly string[]): string[] => paths.map((path) => `${method} ${path}`);

export const domainConfigRules: PolicyRule[] = [
  rule('create_domain_config', ADMIN, SYSTEM_OR_PROJECT, `PUT ${CONFIG}`, 'Set the options of a domain.'),
  rule('get_domain_config', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, each('GET', PARTS), 'Show options of a domain.'),
  rule('get_security_compliance_domain_config', '', ANY_SCOPE, each('GET', COMPLIANCE), 'Show the rules for passwords.'),
  rule('update_domain_config', ADMIN, SYSTEM_OR_PROJECT, each('PATCH', PARTS), 'Change options of a domain.'),
  rule('delete_domain_config', ADMIN, SYSTEM_OR_PROJECT, each('DELETE', PARTS), 'Delete options of a domain.'),
  rule('get_domain_config_default', ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, each('GET', DEFAULTS), 'Show what holds where a domain sets nothing.'),
];

const body = Type.Object({ config: Type.Object({}) }, { additionalProperties: false });
const configReply = Type.Object({ config: Type.Object({}) });
const NAMES = ['', '_group', '_option'];

function partOf(call: PathCall): ConfigPart {
  const { domain_id, group, option } = (call).params;
  return { domain_id: domain_id as string, group, option };
}

const configIn = (call: PathCall): Fields => ((call).body as { config: Fields }).config;

export function domainConfigEndpoints(identity: Identity): Endpoint[] {
  return [
    endpoint({
      id: 'identity:create_domain_config', method: 'PUT', path: CONFIG, summary: 'Set the options of a domain', policy: 'identity:create_domain_config', body, reply: configReply, status: 201,
      async handler(call) {
        const { config, existed } = await createDomainConfig(identity, call.params.domain_id, configIn(call));
        return reply({ config }, { status: existed ? 200 : 201 });
      },
    }),
    ...PARTS.flatMap((path, at) => partEndpoints(identity, path, NAMES[at] as string)),
    ...COMPLIANCE.map((path, at) => endpoint({
      id: `identity:get_security_compliance_domain_config${at === 0 ? '' : '_option'}`, method: 'GET', path, summary: 'Show the rules for passwords', policy: 'identity:get_security_compliance_domain_config', reply: configReply, status: 200,
      handler(call) {
        const { domain_id, option } = partOf(call);
        return { config: securityCompliance(identity, domain_id, option) };
      },
    })),
    ...DEFAULTS.map((path, at) => endpoint({
      id: `identity:get_domain_config_default${NAMES[at]}`, method: 'GET', path, summary: 'Show what holds where a domain sets nothing', policy: 'identity:get_domain_config_default', reply: configReply, status: 200,
      handler(call) {
        const { group, option } = partOf(call);
        return { config: defaultConfig(identity, group, option) };
      },
    })),
  ];
}

function partEndpoints(identity: Identity, path: string, name: string): Endpoint[] {
  return [
    endpoint({
      id: `identity:get_domain_config${name}`, method: 'GET', path, summary: 'Show options of a domain', policy: 'identity:get_domain_config', reply: configReply, status: 200,
      handler: async (call) => ({ config: await getDomainConfig(identity, partOf(call)) }),
    }),
    endpoint({
      id: `identity:update_domain_config${name}`, method: 'PATCH', path, summary: 'Change options of a domain', policy: 'identity:update_domain_config', body, reply: configReply, status: 200,
      handler: async (call) => ({ config: await updateDomainConfig(identity, partOf(call), configIn(call)) }),
    }),
    endpoint({
      id: `identity:delete_domain_config${name}`, method: 'DELETE', path, summary: 'Delete options of a domain', policy: 'identity:delete_domain_config', status: 204,
      async handler(call) {
        await deleteDomainConfig(identity, partOf(call));
        return reply();
      },
    }),
  ];
}
