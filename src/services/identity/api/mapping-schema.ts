/** How the rules of a mapping are written: keystone's schemas 1.0 to 3.0 in one. */
import { Type } from 'typebox';

const strict = { additionalProperties: false };
const text = Type.String();
const domain = Type.Object({ id: Type.Optional(text), name: Type.Optional(text) }, strict);
const role = Type.Object({ name: text }, strict);

const local = Type.Object({
  user: Type.Optional(Type.Object({
    id: Type.Optional(text), name: Type.Optional(text), email: Type.Optional(text), domain: Type.Optional(domain),
    type: Type.Optional(Type.Union([Type.Literal('ephemeral'), Type.Literal('local')])),
  }, strict)),
  projects: Type.Optional(Type.Array(Type.Object({ name: text, roles: Type.Array(role), domain: Type.Optional(domain) }, strict))),
  projects_json: Type.Optional(text),
  group: Type.Optional(Type.Union([Type.Object({ id: text }, strict), Type.Object({ name: text, domain }, strict)])),
  groups: Type.Optional(text),
  group_ids: Type.Optional(text),
  domain: Type.Optional(domain),
}, strict);

const condition = (key: 'any_one_of' | 'not_any_of' | 'blacklist' | 'whitelist') =>
  Type.Object({ type: text, [key]: Type.Array(text), regex: Type.Optional(Type.Boolean()) }, strict);
const remote = Type.Union([Type.Object({ type: text }, strict), condition('any_one_of'), condition('not_any_of'), condition('blacklist'), condition('whitelist')]);

export const mappingBody = Type.Object({
  rules: Type.Array(Type.Object({ local: Type.Array(local), remote: Type.Array(remote, { minItems: 1 }) }, strict), { minItems: 1 }),
  schema_version: Type.Optional(Type.Union([Type.Literal('1.0'), Type.Literal('2.0'), Type.Literal('3.0')])),
});
