/** Who may do what within a namespace, and in which order the refusals come. */
import type { Call, Target } from '../../../../kernel/api/endpoint.ts';
import type { ImageDeps } from '../../deps.ts';
import { namespaceNotFound } from '../../model/metadefs/faults.ts';
import { getNamespace } from '../../model/metadefs/namespaces.ts';
import { readOnly } from '../../faults.ts';
import type { MetadefNamespaceRow } from '../../store/metadefs/tables.ts';
import { eyesOf } from '../eyes.ts';

type AnyCall = Call<any, any, any>;

export async function namespaceOf(deps: ImageDeps, call: AnyCall): Promise<MetadefNamespaceRow> {
  return getNamespace(deps, eyesOf(call), (call.params as { namespace: string }).namespace);
}

/**
 * What the rules are checked against: the namespace. Whom the rule of the call refuses learns of the namespace only if it
 * may be seen. Faults: 404.
 */
export const namespaceTarget = (deps: ImageDeps) => async (call: AnyCall): Promise<Target> => {
  const row = await namespaceOf(deps, call);
  const target = { project_id: row.owner, visibility: row.visibility };
  if (!call.allows(call.policy, target) && !call.allows('get_metadef_namespace', target)) throw namespaceNotFound(row.namespace);
  return target;
};

/** Faults: 403 for what only the service writes. */
export function refuseReadOnly(body: object, ...names: string[]): void {
  for (const name of names) if (Object.hasOwn(body, name)) throw readOnly(name);
}
