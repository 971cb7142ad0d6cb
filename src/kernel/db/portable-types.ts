import {
  OperationNodeTransformer,
  RawNode,
  sql,
  type AlterColumnNode,
  type ColumnDefinitionNode,
  type DataTypeNode,
  type Kysely,
  type KyselyPlugin,
  type OperationNode,
  type QueryId,
} from 'kysely';
import type { Dialect } from './database.ts';

/** What PostgreSQL has to be told so that a column behaves as SQLite's of that type does. */
const POSTGRES_TYPES: Record<string, string> = {
  text: 'text collate "C"',
  integer: 'bigint',
  real: 'double precision',
};

function portable<T extends OperationNode>(type: T): T {
  const name = POSTGRES_TYPES[(type as unknown as DataTypeNode).dataType];
  return name === undefined ? type : (RawNode.createWithSql(name) as unknown as T);
}

class TypeTransformer extends OperationNodeTransformer {
  protected override transformColumnDefinition(node: ColumnDefinitionNode, queryId?: QueryId): ColumnDefinitionNode {
    return super.transformColumnDefinition({ ...node, dataType: portable(node.dataType) }, queryId);
  }
  protected override transformAlterColumn(node: AlterColumnNode, queryId?: QueryId): AlterColumnNode {
    const changed = node.dataType === undefined ? node : { ...node, dataType: portable(node.dataType) };
    return super.transformAlterColumn(changed, queryId);
  }
}

const transformer = new TypeTransformer();

/** Rewrites the column types of schema statements for PostgreSQL; on SQLite it isn't used. */
export const portableTypes: KyselyPlugin = {
  transformQuery: ({ node, queryId }) => transformer.transformNode(node, queryId),
  transformResult: async ({ result }) => result,
};

/** An index that serves `page` by these sort keys, nullable ones too, in either direction on both dialects. */
export async function createSortIndex(
  tx: Kysely<any>,
  dialect: Dialect,
  name: string,
  table: string,
  keys: readonly { column: string; nullable?: boolean }[],
): Promise<void> {
  const columns = keys.map(({ column, nullable }) =>
    // SQLite has nulls first anyway, and refuses to be told.
    nullable === true && dialect === 'postgres' ? sql`${sql.ref(column)} asc nulls first` : sql.ref(column),
  );
  await sql`create index ${sql.id(name)} on ${sql.id(table)} (${sql.join(columns)})`.execute(tx);
}
