/** What the resources of this service share: parameters, links, pages, the owner of what a call names. */
import { type TSchema, type TUnsafe, Type } from 'typebox';
import type { AnyCall, Call, PathCall } from '../../../kernel/api/endpoint.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { isoMicrosNoZone } from '../../../kernel/clock.ts';
import type { Context } from '../../../kernel/context.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { eyesOf, type Eyes } from '../model/types.ts';
import type { Reader, Rows } from '../store/rows.ts';

export const text = Type.String({ maxLength: 255 });
export const nullableText = Type.Union([text, Type.Null()]);
export const metadataMap = Type.Unsafe<Record<string, string>>({ type: 'object', patternProperties: { '^[a-zA-Z0-9\\-_:. ]{1,255}$': { type: 'string', maxLength: 255 } }, additionalProperties: false });
export const nullableMetadata = Type.Union([metadataMap, Type.Null()]);
export const nullableId = Type.Union([Type.String({ pattern: '^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$' }), Type.Null()]);
const BOOLEANS = [true, 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', 'y', 't', false, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no', 'n', 'f', 1, 0];
export const looseBoolean = Type.Unsafe<boolean | string | number>({ enum: BOOLEANS });
export const asBoolean = (value: boolean | string | number | null | undefined, otherwise = false): boolean =>
  value === null || value === undefined ? otherwise : typeof value === 'boolean' ? value : (booleanFrom(String(value)) ?? otherwise);
export const sizeNumber = Type.Unsafe<number | string>({ anyOf: [{ type: 'integer', minimum: 1, maximum: 0x7fffffff }, { type: 'string', pattern: '^0*[1-9][0-9]{0,8}$' }] });

/** A body `{ <name>: { … } }` that may hold nothing else. */
export const wrapped = <Name extends string, Schema extends TSchema>(name: Name, schema: Schema) => Type.Object({ [name]: schema } as Record<Name, Schema>, { additionalProperties: false });

/** A reply `{ <name>: { … } }`. */
export const shown = <Name extends string>(name: Name, fields: Record<string, TSchema> = { id: Type.String() }) => Type.Object({ [name]: Type.Unsafe<object>(Type.Object(fields)) } as Record<Name, TUnsafe<object>>);
export const listed = <Name extends string>(name: Name, fields: Record<string, TSchema> = { id: Type.String() }) => Type.Object({ [name]: Type.Unsafe<readonly object[]>(Type.Array(Type.Object(fields))) } as Record<Name, TUnsafe<readonly object[]>>);

/** Trimmed; what is nothing but white space is no name. */
export const clean = (value: string | null | undefined): string | null => value?.trim() ?? null;

export const instant = (at: string | null): string | null => (at === null ? null : isoMicrosNoZone(at));
export const json = <T = Record<string, string>>(value: string): T => JSON.parse(value) as T;

export const readerOf = (deps: Pick<BlockStorageDeps, 'db'>): Reader => deps.db.read;
export const isAdmin = (call: Pick<Call, 'allows'>): boolean => call.allows('context_is_admin');
export const eyes = (call: Pick<Call, 'auth'>): Eyes => eyesOf(call.auth);
export const ids = (call: Pick<AnyCall, 'ctx'>): { request_id: string; global_request_id: string | undefined } => ({ request_id: call.ctx.request_id, global_request_id: call.ctx.global_request_id });

/** @throws Fault 400 */
export function projectOf(call: Pick<Call, 'auth'>): string {
  if (call.auth.project_id === undefined) throw badRequest('block-storage.project-needed', 'This needs a project: use a token that is scoped to one.');
  return call.auth.project_id;
}

export const links = (call: Pick<AnyCall, 'base' | 'auth'>, collection: string, id: string) => [
  { rel: 'self', href: `${call.base}/v3/${collection}/${id}` },
  { rel: 'bookmark', href: `${call.base}/${collection}/${id}` },
];

const loaded = new WeakMap<Context, unknown>();

/**
 * The `target` of endpoints below `/<collection>/{id}`: loads the row once, and hides it from those who may not know of it.
 * `rowOf(call)` gives it to the handler.
 */
export function owned<Row extends { project_id: string }>(deps: Pick<BlockStorageDeps, 'db'>, rows: Rows<Row>, missing: (id: string) => Fault, param = 'id') {
  return {
    async target(call: PathCall): Promise<Record<string, unknown>> {
      const id = call.params[param] ?? '';
      const row = await rows.find(deps.db.read, id);
      if (row === undefined || (row.project_id !== call.auth.project_id && !isAdmin(call))) throw missing(id);
      loaded.set(call.ctx, row);
      return { project_id: row.project_id, user_id: (row as { user_id?: string }).user_id };
    },
    rowOf(call: Pick<AnyCall, 'ctx'>): Row {
      const row = loaded.get(call.ctx);
      if (row === undefined) throw new Error('the endpoint has no such target');
      return row as Row;
    },
  };
}
