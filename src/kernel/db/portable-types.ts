import {
  OperationNodeTransformer,
  RawNode,
  type AlterColumnNode,
  type ColumnDefinitionNode,
  type DataTypeNode,
  type KyselyPlugin,
  type OperationNode,
  type QueryId,
} from 'kysely';

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
