/** Pieces of request bodies. Unknown fields of most resources are kept and shown, as in keystone. */
import { Type, type TSchema } from 'typebox';
import { nullable } from '../../../kernel/api/schema.ts';

export const nameString = (longest: number) => Type.String({ minLength: 1, maxLength: longest, pattern: '\\S' });
export const idString = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-]+$' });
export const optionalText = Type.Optional(nullable(Type.String({ maxLength: 65_535 })));
export const optionalFlag = Type.Optional(Type.Boolean());
export const optionalId = Type.Optional(nullable(idString));
export const immutableOptions = Type.Optional(Type.Object({ immutable: Type.Optional(nullable(Type.Boolean())) }, { additionalProperties: false }));

/** `{ user: { … } }`: one object under its name. */
export function bodyOf<T extends TSchema>(key: string, schema: T) {
  return Type.Object({ [key]: schema } as Record<string, T>, { additionalProperties: false });
}

const tagString = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/]*$' });
export const tagList = Type.Array(tagString, { maxItems: 80, uniqueItems: true });
