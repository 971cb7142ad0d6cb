/** Which policy document holds where. */
import { notFound } from '../../../kernel/fault.ts';
import { noSuch } from '../faults.ts';
import { findPolicy } from '../store/policies.ts';
import { deleteAssociation, policyOfTarget, putAssociation } from '../store/policy-associations.ts';
import { findEndpoint, findRegion, findService } from '../store/services.ts';
import type { PolicyRow } from '../store/tables.ts';
import { change, type Identity, type Tx } from './identity.ts';

export interface PolicyTarget { endpoint_id?: string | undefined; service_id?: string | undefined; region_id?: string | undefined }

type Reader = Tx | Identity['db']['read'];

async function assertTarget(db: Reader, policy_id: string, target: PolicyTarget): Promise<void> {
  await existing(findPolicy(db, policy_id), 'policy', policy_id);
  if (target.endpoint_id !== undefined) await existing(findEndpoint(db, target.endpoint_id), 'endpoint', target.endpoint_id);
  if (target.service_id !== undefined) await existing(findService(db, target.service_id), 'service', target.service_id);
  if (target.region_id !== undefined) await existing(findRegion(db, target.region_id), 'region', target.region_id);
}

async function existing<T>(row: Promise<T | undefined>, kind: string, id: string): Promise<T> {
  const found = await row;
  if (found === undefined) throw noSuch(kind, id);
  return found;
}

function nameOf({ endpoint_id, service_id, region_id }: PolicyTarget): string {
  if (endpoint_id !== undefined) return `endpoint/${endpoint_id}`;
  return region_id === undefined ? `service/${service_id}` : `service/${service_id}/${region_id}`;
}

export async function associatePolicy(identity: Identity, policy_id: string, target: PolicyTarget): Promise<void> {
  await change(identity, async (tx) => {
    await assertTarget(tx, policy_id, target);
    const { endpoint_id = null, service_id = null, region_id = null } = target;
    await putAssociation(tx, { target: nameOf(target), policy_id, endpoint_id, service_id, region_id });
  });
}

/** Fault 404 when the policy does not hold there. */
export async function assertAssociatedPolicy(identity: Identity, policy_id: string, target: PolicyTarget): Promise<void> {
  await assertTarget(identity.db.read, policy_id, target);
  if ((await policyOfTarget(identity.db.read, nameOf(target))) !== policy_id) throw notFound('identity.policy-association-not-found', 'Could not find policy association.');
}

export async function dissociatePolicy(identity: Identity, policy_id: string, target: PolicyTarget): Promise<void> {
  await change(identity, async (tx) => {
    await assertTarget(tx, policy_id, target);
    if ((await policyOfTarget(tx, nameOf(target))) === policy_id) await deleteAssociation(tx, nameOf(target));
  });
}

/** The nearest one: of the endpoint, of its service in its region or one above it, of its service. */
export async function policyOfEndpoint(identity: Identity, endpoint_id: string): Promise<PolicyRow> {
  const db = identity.db.read;
  const { service_id, region_id } = await existing(findEndpoint(db, endpoint_id), 'endpoint', endpoint_id);
  const targets: PolicyTarget[] = [{ endpoint_id }];
  for (let at = region_id; at !== null; at = (await findRegion(db, at))?.parent_region_id ?? null) targets.push({ service_id, region_id: at });
  targets.push({ service_id });
  for (const target of targets) {
    const id = await policyOfTarget(db, nameOf(target));
    if (id !== undefined) return await existing(findPolicy(db, id), 'policy', id);
  }
  throw notFound('identity.policy-association-not-found', `No policy is associated with endpoint ${endpoint_id}.`);
}
