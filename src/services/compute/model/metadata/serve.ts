/** Answers what servers ask of their metadata service; the node that asks for one says which. */
import type { Kysely } from 'kysely';
import type { MetadataReply, MetadataRequest } from '../../../../agents/compute/protocol.ts';
import { isFault } from '../../../../kernel/fault.ts';
import type { JobDeps } from '../../deps.ts';
import { devicesOf } from '../../store/block-devices.ts';
import { findBoot, findServer } from '../../store/servers.ts';
import type { ComputeTables } from '../../store/tables.ts';
import { leavePassword, showPassword } from '../server-password.ts';
import { isPasswordPath, metadataAnswer } from './answer.ts';
import { type InstanceFacts, instanceFacts } from './facts.ts';

/** A server that reads its whole tree asks for dozens of paths in a row. */
const FRESH_MS = 2_000;
const MOST_KEPT = 500;

interface Kept {
  facts: InstanceFacts | undefined;
  at: number;
}

export function createMetadataService(deps: JobDeps): (node_id: string, request: MetadataRequest) => Promise<MetadataReply> {
  const kept = new Map<string, Kept>();

  /** Undefined for a server that is not on this node: a node reads of its own servers only. */
  async function factsOf(node_id: string, server_id: string): Promise<InstanceFacts | undefined> {
    const key = `${node_id} ${server_id}`;
    const now = deps.clock.now().getTime();
    const found = kept.get(key);
    if (found !== undefined && now - found.at < FRESH_MS) return found.facts;
    const facts = await readFacts(deps, node_id, server_id);
    kept.delete(key);
    kept.set(key, { facts, at: now });
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
    return facts;
  }

  return async (node_id, { server_id, method, path, body }) => {
    const facts = await factsOf(node_id, server_id);
    if (facts === undefined) return refusal(404);
    if (isPasswordPath(path)) return await password(deps, server_id, method, body);
    if (method !== 'GET' && method !== 'HEAD') return refusal(405);
    const answer = metadataAnswer(facts, path);
    return answer === undefined ? refusal(404) : { status: 200, type: answer.type, body: answer.body.toString('base64') };
  };
}

async function readFacts(deps: JobDeps, node_id: string, server_id: string): Promise<InstanceFacts | undefined> {
  const db = deps.db.read as Kysely<ComputeTables>;
  const [row, boot] = [await findServer(db, server_id), await findBoot(db, server_id)];
  if (row === undefined || boot === undefined || row.deleted === 1 || row.node_id !== node_id) return undefined;
  const nics = (await deps.network.nicsOf([server_id])).get(server_id) ?? [];
  return instanceFacts(row, boot, { nics, volumes: await devicesOf(db, server_id) }, { domain: deps.config.dhcp_domain, default_zone: deps.config.default_availability_zone });
}

const REASONS: Readonly<Record<number, string>> = { 400: 'Bad Request', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict' };

function plain(status: number, text: string): MetadataReply {
  return { status, type: 'text/plain; charset=UTF-8', body: Buffer.from(text).toString('base64') };
}

const refusal = (status: number): MetadataReply => plain(status, `${status} ${REASONS[status]}\n`);

async function password(deps: JobDeps, server_id: string, method: string, body: string | undefined): Promise<MetadataReply> {
  if (method === 'GET') return plain(200, await showPassword(deps, server_id));
  if (method !== 'POST') return refusal(400);
  try {
    await leavePassword(deps, server_id, Buffer.from(body ?? '', 'base64'));
    return plain(200, '');
  } catch (error) {
    if (isFault(error) && error.status < 500) return refusal(error.status);
    throw error;
  }
}
