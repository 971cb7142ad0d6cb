/** The five endpoints of a resource; and the rules of those that only administrators change. */
import type { TSchema } from 'typebox';
import { endpoint, reply, type Endpoint, type Target, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { Fault } from '../../../kernel/fault.ts';
import type { Page } from '../../../kernel/db/list-query.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import { noSuch } from '../faults.ts';
import type { Identity } from '../model/identity.ts';
import type { ListOptions } from '../store/list.ts';
import { ADMINISTRATORS } from './administrators.ts';
import { collection, entryReply, listReply, readList, type Filters } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';

export interface Resource {
  /** `endpoint` */
  one: string;
  /** `endpoints` */
  many: string;
  /** `/v3/endpoints` */
  path: string;
  /** `endpoint_id` */
  parameter: string;
  /** What comes after the verb in rules, if not `one` and `many`. */
  ruleOne?: string;
  ruleMany?: string;
  /** Undefined: they are created in another way. */
  create?: TSchema;
  update: TSchema;
}

type TargetOf = (call: PathCall) => Target | Promise<Target>;

interface Targets {
  list?: TargetOf;
  create?: TargetOf;
  one?: TargetOf;
  remove?: TargetOf;
}

/** What the five calls do with rows; `create` and `update` return the row as it is then. */
interface Handlers<Row extends { id: string }> {
  filters: Filters;
  list(options: ListOptions, call: PathCall): Promise<Page<Row>>;
  find(id: string): Promise<Row | undefined>;
  /** The fault when there is none such, where it is worded otherwise. */
  missing?(id: string): Fault;
  show(call: PathCall, row: Row): object;
  /** What the new one's reply shows beside it, if anything that is never shown again. */
  showNew?(call: PathCall, row: Row): object;
  create?(body: unknown, call: PathCall): Promise<Row>;
  update(id: string, body: unknown): Promise<Row>;
  remove(id: string): Promise<void>;
  /** What the rules are checked against, where they ask for more than the caller and the path. */
  targets?: Targets;
}

const names = (resource: Resource) => ({ one: resource.ruleOne ?? resource.one, many: resource.ruleMany ?? resource.many, single: `${resource.path}/{${resource.parameter}}` });

export function crudRules(resource: Resource): PolicyRule[] {
  const { one, many, single } = names(resource);
  const words = resource.one.replaceAll('_', ' ');
  return [
    rule(`get_${one}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${single}`, `Show one ${words}.`),
    rule(`list_${many}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${resource.path}`, `List each ${words}.`),
    rule(`create_${one}`, ADMIN, SYSTEM_OR_PROJECT, `POST ${resource.path}`, `Create one ${words}.`),
    rule(`update_${one}`, ADMIN, SYSTEM_OR_PROJECT, `PATCH ${single}`, `Change one ${words}.`),
    rule(`delete_${one}`, ADMIN, SYSTEM_OR_PROJECT, `DELETE ${single}`, `Delete one ${words}.`),
  ];
}

/** @param existing what to fall back on: it throws 404 when there is none such. */
function targetsOf({ targets }: { targets?: Targets }, existing: TargetOf | undefined): Targets {
  const one = targets?.one ?? existing;
  return { ...targets, ...(one === undefined ? {} : { remove: one, one }), ...(targets?.remove === undefined ? {} : { remove: targets.remove }) };
}

export function crudEndpoints<Row extends { id: string }>(identity: Identity, resource: Resource, handlers: Handlers<Row>): Endpoint[] {
  const { one, many, single } = names(resource);
  const words = resource.one.replaceAll('_', ' ');
  const id = (call: PathCall): string => (call).params[resource.parameter] as string;
  const shown = (call: PathCall, row: Row) => ({ [resource.one]: handlers.show(call, row) });
  const body = (call: PathCall): unknown => ((call).body as Record<string, unknown>)[resource.one];
  const present = async (wanted: string): Promise<Row> => {
    const row = await handlers.find(wanted);
    if (row === undefined) throw handlers.missing?.(wanted) ?? noSuch(words, wanted);
    return row;
  };
  const targets = targetsOf(handlers, ADMINISTRATORS[identity.config.administrators].told.includes(resource.one) ? async (call) => ({ [one]: await present(id(call)) }) : undefined);
  const target = (which: keyof Targets) => {
    const found = targets[which];
    return found === undefined ? {} : { target: (call: PathCall) => found(call) };
  };
  const { create } = handlers;
  const created = resource.create === undefined || create === undefined ? [] : [
    endpoint({
      id: `identity:create_${one}`, method: 'POST', path: resource.path as string, summary: `Create one ${words}`, policy: `identity:create_${one}`, body: resource.create, reply: entryReply(resource.one), status: 201, ...target('create'),
      handler: async (call) => ({ [resource.one]: (handlers.showNew ?? handlers.show)(call, await create(body(call), call)) }),
    }),
  ];
  return [
    endpoint({
      id: `identity:list_${many}`, method: 'GET', path: resource.path as string, summary: `List each ${words}`, policy: `identity:list_${many}`, reply: listReply(resource.many), status: 200, ...target('list'),
      async handler(call) {
        const page = await handlers.list(readList(identity, call, handlers.filters), call);
        return collection(identity, call, resource.many, page, (row) => handlers.show(call, row));
      },
    }),
    ...created,
    endpoint({
      id: `identity:get_${one}`, method: 'GET', path: single as string, summary: `Show one ${words}`, policy: `identity:get_${one}`, reply: entryReply(resource.one), status: 200, ...target('one'),
      handler: async (call) => shown(call, await present(id(call))),
    }),
    endpoint({
      id: `identity:update_${one}`, method: 'PATCH', path: single as string, summary: `Change one ${words}`, policy: `identity:update_${one}`, body: resource.update, reply: entryReply(resource.one), status: 200, ...target('one'),
      handler: async (call) => shown(call, await handlers.update(id(call), body(call))),
    }),
    endpoint({
      id: `identity:delete_${one}`, method: 'DELETE', path: single as string, summary: `Delete one ${words}`, policy: `identity:delete_${one}`, status: 204, ...target('remove'),
      async handler(call) {
        await handlers.remove(id(call));
        return reply();
      },
    }),
  ];
}
