/** Glance's rules of the metadata definitions (`glance/policies/metadef.py`). */
import { policyRule, type PolicyRule } from '../../kernel/policy/rule.ts';

const SEE = "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))";
const READ = 'rule:context_is_admin or (role:reader and project_id:%(project_id)s)';
const WRITE = 'rule:metadef_admin';
const NAMESPACES = '/v2/metadefs/namespaces';
const ONE = `${NAMESPACES}/{namespace}`;

const rule = (name: string, text: string, description: string, ...operations: string[]): PolicyRule => policyRule(name, text, ['project'], description, ...operations);

/** The five rules that objects and properties have each. */
function contentRules(kind: string, plural: string, remove: string): PolicyRule[] {
  const all = `${ONE}/${plural}`;
  const one = `${all}/{name}`;
  return [
    rule(`get_metadef_${kind}`, SEE, `Show a ${kind} definition.`, `GET ${one}`),
    rule(`get_metadef_${plural}`, SEE, `List the ${kind} definitions of a namespace.`, `GET ${all}`),
    rule(`modify_metadef_${kind}`, WRITE, `Change a ${kind} definition.`, `PUT ${one}`),
    rule(`add_metadef_${kind}`, WRITE, `Define a ${kind}.`, `POST ${kind === 'tag' ? one : all}`),
    rule(remove, WRITE, `Delete a ${kind} definition.`, `DELETE ${one}`),
  ];
}

export const metadefPolicies: PolicyRule[] = [
  policyRule('metadef_default', '', [], 'Every valid token; what older policy files refer to.'),
  policyRule('metadef_admin', 'rule:context_is_admin', [], 'Who writes metadata definitions.'),
  rule('get_metadef_namespace', SEE, 'Show a namespace.', `GET ${ONE}`),
  rule('get_metadef_namespaces', READ, 'List namespaces.', `GET ${NAMESPACES}`),
  rule('modify_metadef_namespace', WRITE, 'Change a namespace.', `PUT ${ONE}`),
  rule('add_metadef_namespace', WRITE, 'Create a namespace.', `POST ${NAMESPACES}`),
  rule('delete_metadef_namespace', WRITE, 'Delete a namespace, or all its objects, properties or tags.', `DELETE ${ONE}`, ...['objects', 'properties', 'tags'].map((plural) => `DELETE ${ONE}/${plural}`)),
  ...contentRules('object', 'objects', 'delete_metadef_object'),
  rule('list_metadef_resource_types', SEE, 'List resource types.', 'GET /v2/metadefs/resource_types', `GET ${ONE}/resource_types`),
  rule('get_metadef_resource_type', SEE, 'See with which resource types a namespace is associated.', `GET ${ONE}/resource_types`),
  rule('add_metadef_resource_type_association', WRITE, 'Associate a namespace with a resource type.', `POST ${ONE}/resource_types`),
  rule('remove_metadef_resource_type_association', WRITE, 'End the association with a resource type.', `DELETE ${ONE}/resource_types/{name}`),
  ...contentRules('property', 'properties', 'remove_metadef_property'),
  ...contentRules('tag', 'tags', 'delete_metadef_tag'),
  rule('add_metadef_tags', WRITE, 'Define several tags at once.', `POST ${ONE}/tags`),
  rule('delete_metadef_tags', WRITE, 'Delete all tag definitions of a namespace.', `DELETE ${ONE}/tags`),
];
