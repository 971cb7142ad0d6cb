import { sql, type Kysely } from 'kysely';
import type { Migration } from '../db/migrate.ts';

export const taskMigrations: Migration[] = [{ service: 'task', number: 1, name: 'create tasks', up: createTasks }];

async function createTasks(tx: Kysely<any>): Promise<void> {
  await tx.schema
    .createTable('tasks')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('resource', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('active', 'integer', (column) => column.notNull())
    .addColumn('input', 'text', (column) => column.notNull())
    .addColumn('error', 'text')
    .addColumn('cancelled', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('global_request_id', 'text')
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('settled_at', 'text')
    .execute();
  await tx.schema
    .createTable('task_events')
    .addColumn('task_id', 'text', (column) => column.notNull().references('tasks.id').onDelete('cascade'))
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('step', 'text', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('output', 'text')
    .addColumn('at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('task_events_pk', ['task_id', 'number'])
    .execute();
  await tx.schema
    .createTable('task_owners')
    .addColumn('owner', 'text', (column) => column.primaryKey())
    .addColumn('lease_until', 'text', (column) => column.notNull())
    .execute();
  // The lock: one live task per resource.
  await sql`create unique index tasks_lock on tasks (resource) where active = 1`.execute(tx);
  await sql`create index tasks_active on tasks (created_at, id) where active = 1`.execute(tx);
  await sql`create index tasks_stuck on tasks (created_at, id) where state = 'stuck'`.execute(tx);
  await sql`create index tasks_settled on tasks (settled_at) where active = 0`.execute(tx);
  await sql`create index tasks_resource on tasks (resource, created_at)`.execute(tx);
}
