import { Type } from 'typebox';
import type { Endpoint, PathCall } from '../../../kernel/api/endpoint.ts';
import { nullable } from '../../../kernel/api/schema.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { createConsumer, deleteConsumer, noConsumer, updateConsumer, type ConsumerInput } from '../model/consumers.ts';
import { parseFields } from '../model/fields.ts';
import type { Identity } from '../model/identity.ts';
import { findConsumer, listConsumers } from '../store/oauth1.ts';
import type { ConsumerRow } from '../store/tables.ts';
import { crudEndpoints, crudRules, type Resource } from './crud.ts';
import { linkTo, type Shown } from './lists.ts';
import { bodyOf } from './schemas.ts';

const fields = { description: Type.Optional(nullable(Type.String({ maxLength: 255 }))) };
const consumers: Resource = {
  one: 'consumer', many: 'consumers', path: '/v3/OS-OAUTH1/consumers', parameter: 'consumer_id',
  create: bodyOf('consumer', Type.Object(fields)),
  update: bodyOf('consumer', Type.Object(fields, { minProperties: 1 })),
};

export const consumerRules: PolicyRule[] = crudRules(consumers);

export function consumerEndpoints(identity: Identity): Endpoint[] {
  const show = (call: PathCall, row: ConsumerRow): Shown => ({ ...parseFields(row.extra), id: row.id, description: row.description, ...linkTo(identity, call, 'OS-OAUTH1', 'consumers', row.id) });
  return crudEndpoints<ConsumerRow>(identity, consumers, {
    filters: {},
    list: (options) => listConsumers(identity.db.read, options),
    find: (id) => findConsumer(identity.db.read, id),
    missing: noConsumer,
    show,
    showNew: (call, row) => ({ ...show(call, row), secret: row.secret }),
    create: (body) => createConsumer(identity, body as ConsumerInput),
    update: (id, body) => updateConsumer(identity, id, body as ConsumerInput),
    remove: (id) => deleteConsumer(identity, id),
  });
}
