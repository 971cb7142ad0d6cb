import type { Transaction } from 'kysely';
import { isoMicros, type Clock } from '../clock.ts';
import { as, asTransaction, type Database } from '../db/database.ts';

export interface NodeRow {
  id: string;
  hostname: string;
  /** sha-256 of the node's key, hex. */
  key_hash: string;
  /** JSON list. */
  roles: string;
  tunnel_ip: string | null;
  host_ip: string | null;
  /** JSON, as the node reported it. */
  resources: string | null;
  disabled: 0 | 1;
  created_at: string;
  last_seen_at: string;
}

interface Tables {
  nodes: NodeRow;
}

export type NodeFacts = Pick<NodeRow, 'hostname' | 'roles' | 'tunnel_ip' | 'host_ip'>;

/** All SQL about nodes. */
export interface NodeStore {
  find(id: string): Promise<NodeRow | undefined>;
  list(): Promise<NodeRow[]>;
  /** Inserts or updates by what `decide` makes of the row of that id and the one of that hostname. */
  admit(id: string, hostname: string, decide: (own: NodeRow | undefined, sameName: NodeRow | undefined) => Admission): Promise<Admission>;
  saveResources(id: string, resources: string): Promise<void>;
  seen(ids: readonly string[]): Promise<void>;
  setDisabled(id: string, disabled: boolean): Promise<boolean>;
  remove(id: string): Promise<boolean>;
}

export type Admission =
  | { verdict: 'insert'; key_hash: string; facts: NodeFacts }
  | { verdict: 'update'; facts: NodeFacts }
  | { verdict: 'refuse'; code: number; reason: string };

/** More nodes than a cloud of this kind has: a bound, not a page. */
const MAX_NODES = 10_000;
/** Bound parameters of one statement. */
const SEEN_AT_ONCE = 500;

export function createNodeStore(db: Database, clock: Clock): NodeStore {
  const { read } = as<Tables>(db);
  const now = (): string => isoMicros(clock.now());
  const write = <T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> => db.transaction((tx) => work(asTransaction<Tables>(tx)));

  return {
    find: (id) => read.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst(),
    list: () => read.selectFrom('nodes').selectAll().orderBy('hostname').limit(MAX_NODES).execute(),
    admit: (id, hostname, decide) =>
      write(async (tx) => {
        const own = await tx.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst();
        const sameName = await tx.selectFrom('nodes').selectAll().where('hostname', '=', hostname).executeTakeFirst();
        const admission = decide(own, sameName);
        if (admission.verdict === 'insert') await insert(tx, id, admission, now());
        if (admission.verdict === 'update') {
          await tx.updateTable('nodes').set({ ...admission.facts, last_seen_at: now() }).where('id', '=', id).execute();
        }
        return admission;
      }),
    saveResources: (id, resources) => write(async (tx) => void (await tx.updateTable('nodes').set({ resources }).where('id', '=', id).execute())),
    async seen(ids) {
      for (let from = 0; from < ids.length; from += SEEN_AT_ONCE) {
        const some = ids.slice(from, from + SEEN_AT_ONCE);
        await write(async (tx) => void (await tx.updateTable('nodes').set({ last_seen_at: now() }).where('id', 'in', some).execute()));
      }
    },
    setDisabled: (id, disabled) =>
      write(async (tx) => {
        const done = await tx.updateTable('nodes').set({ disabled: disabled ? 1 : 0 }).where('id', '=', id).executeTakeFirst();
        return done.numUpdatedRows > 0n;
      }),
    remove: (id) => write(async (tx) => (await tx.deleteFrom('nodes').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n),
  };
}

async function insert(tx: Transaction<Tables>, id: string, admission: Admission & { verdict: 'insert' }, at: string): Promise<void> {
  const { key_hash, facts } = admission;
  await tx.insertInto('nodes').values({ id, key_hash, ...facts, resources: null, disabled: 0, created_at: at, last_seen_at: at }).execute();
}
