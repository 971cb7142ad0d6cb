/** The five endpoints of a resource whose id its maker chooses: `PUT` makes it. */
import type { TSchema } from 'typebox';
import { endpoint, reply, type Endpoint, type PathCall } from '../../../kernel/api/endpoint.ts';
import type { Page } from '../../../kernel/db/list-query.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { Identity } from '../model/identity.ts';
import type { ListOptions } from '../store/list.ts';
import { collection, entryReply, listReply, readList, type Filters } from './lists.ts';
import { ADMIN, ADMIN_OR_SYSTEM_READER, rule, SYSTEM_OR_PROJECT } from './rules.ts';

export interface NamedResource {
  /** `mapping` */
  one: string;
  many: string;
  /** `/v3/OS-FEDERATION/mappings` */
  path: string;
  parameter: string;
  create: TSchema;
  update: TSchema;
}

type Ids = Readonly<Record<string, string>>;

/** What the calls do with rows; `ids` are the parameters of the path. */
interface NamedHandlers<Row extends { id: string }> {
  filters: Filters;
  list(options: ListOptions, ids: Ids): Promise<Page<Row>>;
  /** Fault 404 when there is none. */
  find(ids: Ids): Promise<Row>;
  /** How rows are shown, all at once. */
  show(call: PathCall, rows: readonly Row[]): Promise<object[]>;
  create(ids: Ids, body: unknown): Promise<Row>;
  update(ids: Ids, body: unknown): Promise<Row>;
  remove(ids: Ids): Promise<void>;
}

export function namedRules({ one, many, path, parameter }: NamedResource): PolicyRule[] {
  const words = one.replaceAll('_', ' ');
  const single = `${path}/{${parameter}}`;
  return [
    rule(`get_${one}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${single}`, `Show one ${words}.`),
    rule(`list_${many}`, ADMIN_OR_SYSTEM_READER, SYSTEM_OR_PROJECT, `GET ${path}`, `List each ${words}.`),
    rule(`create_${one}`, ADMIN, SYSTEM_OR_PROJECT, `PUT ${single}`, `Create one ${words}.`),
    rule(`update_${one}`, ADMIN, SYSTEM_OR_PROJECT, `PATCH ${single}`, `Change one ${words}.`),
    rule(`delete_${one}`, ADMIN, SYSTEM_OR_PROJECT, `DELETE ${single}`, `Delete one ${words}.`),
  ];
}

export function namedEndpoints<Row extends { id: string }>(identity: Identity, resource: NamedResource, handlers: NamedHandlers<Row>): Endpoint[] {
  const { one, many, path, parameter } = resource;
  const words = one.replaceAll('_', ' ');
  const single: string = `${path}/{${parameter}}`;
  const ids = (call: PathCall): Ids => (call).params;
  const shown = async (call: PathCall, row: Row) => ({ [one]: (await handlers.show(call, [row]))[0] });
  const body = (call: PathCall): unknown => ((call).body as Record<string, unknown>)[one];
  return [
    endpoint({
      id: `identity:list_${many}`, method: 'GET', path, summary: `List each ${words}`, policy: `identity:list_${many}`, reply: listReply(many), status: 200,
      async handler(call) {
        const page = await handlers.list(readList(identity, call, handlers.filters), ids(call));
        const entries = await handlers.show(call, page.rows);
        return { ...collection(identity, call, many, page, (row) => row), [many]: entries };
      },
    }),
    endpoint({
      id: `identity:create_${one}`, method: 'PUT', path: single, summary: `Create one ${words}`, policy: `identity:create_${one}`, body: resource.create, reply: entryReply(one), status: 201,
      handler: async (call) => await shown(call, await handlers.create(ids(call), body(call))),
    }),
    endpoint({
      id: `identity:get_${one}`, method: 'GET', path: single, summary: `Show one ${words}`, policy: `identity:get_${one}`, reply: entryReply(one), status: 200,
      handler: async (call) => await shown(call, await handlers.find(ids(call))),
    }),
    endpoint({
      id: `identity:update_${one}`, method: 'PATCH', path: single, summary: `Change one ${words}`, policy: `identity:update_${one}`, body: resource.update, reply: entryReply(one), status: 200,
      handler: async (call) => await shown(call, await handlers.update(ids(call), body(call))),
    }),
    endpoint({
      id: `identity:delete_${one}`, method: 'DELETE', path: single, summary: `Delete one ${words}`, policy: `identity:delete_${one}`, status: 204,
      async handler(call) {
        await handlers.remove(ids(call));
        return reply();
      },
    }),
  ];
}
