/**
 * Preloaded (`--import`) into test processes: has SQLite explain every statement that any test prepares, and notes those
 * that would read a growing table from end to end. `GANTRY_EXPLAIN_FILE` names the file of findings.
 */
import { appendFileSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

const findings = process.env['GANTRY_EXPLAIN_FILE'];
const seen = new Set<string>();

/** Tables that hold a handful of rows in any cloud, or that a job walks in full on purpose. This list only shrinks. */
const SMALL = new Set([
  'schema_migrations', 'nodes', 'identity_regions', 'identity_services', 'identity_endpoints', 'identity_roles', 'identity_implied_roles', 'identity_inferences',
  'identity_domains', 'identity_state', 'compute_flavors', 'placement_providers', 'placement_inventories', 'placement_custom_classes', 'placement_custom_traits',
  'task_owners',
]);

if (findings !== undefined && findings !== '') {
  const prepare = DatabaseSync.prototype.prepare;
  DatabaseSync.prototype.prepare = function explained(this: DatabaseSync, sql: string, ...rest): StatementSync {
    const statement = prepare.call(this, sql, ...rest);
    // without a condition, a limit bounds what is read
    const probe = !/\bwhere\b/i.test(sql) && /\blimit \?$/.test(sql);
    if (!seen.has(sql) && !probe && /^\s*(select|update|delete|insert|with)\b/i.test(sql)) {
      seen.add(sql);
      for (const row of prepare.call(this, `explain query plan ${sql}`).all() as { detail: string }[]) {
        // "SCAN t" alone is the whole table; "SCAN t USING INDEX" follows an order and stops at the limit
        const table = /^SCAN "?(\w+)"?$/.exec(row.detail)?.[1];
        if (table !== undefined && growing(sql, table)) appendFileSync(findings, `${JSON.stringify({ table, sql })}\n`);
      }
    }
    return statement;
  };
}

/** The name in a plan may be an alias. */
function growing(sql: string, name: string): boolean {
  const real = new RegExp(`"?(\\w+)"?\\s+(?:as\\s+)?"${name}"`, 'i').exec(sql)?.[1];
  const table = real !== undefined && !['from', 'join', 'update', 'into', 'as'].includes(real.toLowerCase()) ? real : name;
  return /^(identity|image|compute|placement|network|task)s?(_|$)/.test(table) && !SMALL.has(table);
}
