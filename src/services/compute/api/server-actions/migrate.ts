import { Type } from 'typebox';
import { since, until } from '../../../../kernel/api/microversion.ts';
import { nullable } from '../../../../kernel/api/schema.ts';
import { badRequest } from '../../../../kernel/fault.ts';
import { password } from '../../../../kernel/ids.ts';
import type { ComputeDeps } from '../../deps.ts';
import { evacuateServer } from '../../model/evacuate-server.ts';
import { refuseLiveMigration } from '../../model/live-migration.ts';
import { migrateServer } from '../../model/resize-server.ts';
import { versions } from '../../versions.ts';
import { asBoolean, hostText, looseBoolean } from '../parameters.ts';
import { type Action, closed } from './action.ts';
import { moverOf } from './resize.ts';

const host = nullable(hostText);
const before = (version: number): number => version - 1;

export const migrateActions = (deps: ComputeDeps): Action[] => [migrate(deps), migrateLive(deps), evacuate(deps)];

function migrate(deps: ComputeDeps): Action {
  const target = nullable(Type.Object({ host: Type.Optional(host) }, closed));
  return {
    name: 'migrate',
    summary: 'Move a server to another host',
    policy: 'os_compute_api:os-migrate-server:migrate',
    body: Type.Object({ migrate: Type.Union([until(before(versions.MIGRATE_HOST), Type.Unknown()), since(versions.MIGRATE_HOST, target)]) }, closed),
    act: async (row, actor, call) => {
      const asked = call.version >= versions.MIGRATE_HOST ? (call.body as { migrate: { host?: string | null } | null }).migrate?.host : undefined;
      if (asked) call.enforce('os_compute_api:os-migrate-server:migrate:host', { project_id: row.project_id });
      await migrateServer(deps, moverOf(actor, call), row, asked || null);
    },
  };
}

const blockMigration = Type.Union([looseBoolean, Type.Literal('auto')]);
const force = Type.Optional(looseBoolean);

/** @throws Fault 400 */
function checkForce(asked: { force?: boolean | string; host?: string | null }): void {
  if (asBoolean(asked.force ?? false) && !asked.host) throw badRequest('compute.force-without-host', "Can't force to a non-provided destination");
}

function migrateLive(deps: ComputeDeps): Action {
  const first = Type.Object({ block_migration: looseBoolean, disk_over_commit: looseBoolean, host }, closed);
  const plain = Type.Object({ block_migration: blockMigration, host }, closed);
  const forced = Type.Object({ block_migration: blockMigration, host, force }, closed);
  const body = Type.Union([
    until(before(versions.BLOCK_MIGRATION_AUTO), first),
    since(versions.BLOCK_MIGRATION_AUTO, until(before(versions.LIVE_MIGRATE_FORCE), plain)),
    since(versions.LIVE_MIGRATE_FORCE, until(before(versions.NO_FORCED_MOVE), forced)),
    since(versions.NO_FORCED_MOVE, plain),
  ]);
  return {
    name: 'os-migrateLive',
    summary: 'Refused: a server cannot be moved while it runs',
    policy: 'os_compute_api:os-migrate-server:migrate_live',
    body: Type.Object({ 'os-migrateLive': body }, closed),
    act: async (row, actor, call) => {
      const asked = (call.body as { 'os-migrateLive': { host: string | null; force?: boolean | string } })['os-migrateLive'];
      if (asked.host) call.enforce('os_compute_api:os-migrate-server:migrate_live:host', { project_id: row.project_id });
      checkForce(asked);
      await refuseLiveMigration(deps, actor, row, asked.host);
    },
  };
}

interface AskedEvacuation {
  host?: string;
  onSharedStorage?: boolean | string;
  adminPass?: string;
  force?: boolean | string;
}

function evacuate(deps: ComputeDeps): Action {
  const common = { host: Type.Optional(hostText), adminPass: Type.Optional(Type.String()) };
  const plain = Type.Object(common, closed);
  const body = Type.Union([
    until(before(versions.EVACUATE_NO_SHARED_STORAGE), Type.Object({ ...common, onSharedStorage: looseBoolean }, closed)),
    since(versions.EVACUATE_NO_SHARED_STORAGE, until(before(versions.EVACUATE_FORCE), plain)),
    since(versions.EVACUATE_FORCE, until(before(versions.NO_FORCED_MOVE), Type.Object({ ...common, force }, closed))),
    since(versions.NO_FORCED_MOVE, plain),
  ]);
  return {
    name: 'evacuate',
    summary: 'Make a server anew that was on a host which is down',
    policy: 'os_compute_api:os-evacuate',
    body: Type.Object({ evacuate: body }, closed),
    reply: Type.Object({ adminPass: Type.Optional(nullable(Type.String())) }),
    status: 200,
    act: async (row, actor, call) => {
      const asked = (call.body as { evacuate: AskedEvacuation }).evacuate;
      const old = call.version < versions.EVACUATE_NO_SHARED_STORAGE;
      const shared = old && asBoolean(asked.onSharedStorage ?? false);
      checkForce(asked);
      if (shared && asked.adminPass !== undefined) throw badRequest('compute.password-kept', "admin password can't be changed on existing disk");
      await evacuateServer(deps, actor, row, { host: asked.host ?? null, shared, forced: call.version < versions.EVACUATE_FORCE || asBoolean(asked.force ?? false), stopped: call.version >= versions.EVACUATE_STOPPED });
      return old ? { adminPass: shared ? null : (asked.adminPass ?? password(12)) } : undefined;
    },
  };
}
