/** What clients write into the catalogue of metadata definitions (glance `api/v2/metadef_namespaces.py` and its neighbours). */
import { type Static, Type } from 'typebox';
import { oneOf } from '../../../../kernel/api/schema.ts';

const text = (maxLength?: number) => Type.String(maxLength === undefined ? {} : { maxLength });
const name = Type.String({ minLength: 1, maxLength: 80 });
const texts = Type.Array(text(), { uniqueItems: true });
const types = oneOf('array', 'boolean', 'integer', 'number', 'object', 'string');
const count = Type.Integer({ minimum: 0 });
/** Written by the service alone: allowed by the schema so that the refusal can be a 403. */
const times = { created_at: Type.Optional(Type.Unknown()), updated_at: Type.Optional(Type.Unknown()) };
const links = { self: Type.Optional(Type.Unknown()), schema: Type.Optional(Type.Unknown()) };

const propertyFields = {
  title: text(),
  type: types,
  description: Type.Optional(text()),
  operators: Type.Optional(Type.Array(text())),
  required: Type.Optional(texts),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  minLength: Type.Optional(count),
  maxLength: Type.Optional(count),
  pattern: Type.Optional(text()),
  enum: Type.Optional(Type.Array(Type.Unknown())),
  readonly: Type.Optional(Type.Boolean()),
  default: Type.Optional(Type.Unknown()),
  items: Type.Optional(Type.Object({ type: types, enum: Type.Optional(Type.Array(Type.Unknown())) }, { additionalProperties: false })),
  minItems: Type.Optional(count),
  maxItems: Type.Optional(count),
  uniqueItems: Type.Optional(Type.Boolean()),
  additionalItems: Type.Optional(Type.Boolean()),
  confidential: Type.Optional(Type.Boolean()),
};

const exact = { additionalProperties: false };
const property = Type.Object({ name: Type.Optional(name), ...propertyFields }, exact);
const properties = Type.Record(name, property);

export const propertyBody = Type.Object({ name, ...propertyFields, ...times }, exact);

const objectFields = { name, description: Type.Optional(text()), required: Type.Optional(texts), properties: Type.Optional(properties) };
export const objectBody = Type.Object({ ...objectFields, ...links, ...times }, exact);

export const tagBody = Type.Object({ name, ...times }, exact);
export const tagsBody = Type.Object({ tags: Type.Optional(Type.Array(Type.Object({ name }, exact))), ...times }, exact);

const associationFields = { name, prefix: Type.Optional(text(80)), properties_target: Type.Optional(text(80)) };
export const associationBody = Type.Object({ ...associationFields, ...times }, exact);

export const namespaceBody = Type.Object(
  {
    namespace: name,
    display_name: Type.Optional(text(80)),
    description: Type.Optional(text(500)),
    visibility: Type.Optional(oneOf('public', 'private')),
    protected: Type.Optional(Type.Boolean()),
    owner: Type.Optional(text(255)),
    resource_type_associations: Type.Optional(Type.Array(Type.Object({ ...associationFields, ...times }, exact))),
    properties: Type.Optional(properties),
    objects: Type.Optional(Type.Array(Type.Object({ ...objectFields, ...links, ...times }, exact))),
    tags: Type.Optional(Type.Array(Type.Object({ name }, exact))),
    ...links, ...times,
  },
  exact,
);

export type PropertyBody = Static<typeof property>;
export type ObjectBody = Pick<Static<typeof objectBody>, keyof typeof objectFields>;
export type AssociationBody = Pick<Static<typeof associationBody>, keyof typeof associationFields>;
export type NamespaceBody = Omit<Static<typeof namespaceBody>, 'self' | 'schema' | 'created_at' | 'updated_at'>;
