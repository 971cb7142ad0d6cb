/** How a volume is encrypted, as its type said when it was made (cinder/api/contrib/volume_encryption_metadata.py). */
import { Type } from 'typebox';
import type { Call, Endpoint } from '../../../kernel/api/endpoint.ts';
import { endpoint } from '../../../kernel/api/endpoint.ts';
import type { PolicyRule } from '../../../kernel/policy/rule.ts';
import type { BlockStorageDeps } from '../deps.ts';
import { READER, rule } from '../policies.ts';
import { types } from '../store/rows.ts';
import type { VolumeRow } from '../store/tables.ts';
import { json, readerOf } from './common.ts';
import { volumeTarget } from './volumes.ts';

const POLICY = 'volume_extension:volume_encryption_metadata';
const PATH = '/v3/volumes/{volume_id}/encryption';

export const volumeEncryptionPolicies: PolicyRule[] = [rule(POLICY, READER, 'Show how a volume is encrypted.', 'GET /volumes/{volume_id}/encryption')];

interface Shown {
  encryption_key_id: string | null;
  control_location?: string;
  cipher?: string | null;
  key_size?: number | null;
  provider?: string;
}

export function volumeEncryptionEndpoints(deps: BlockStorageDeps): Endpoint[] {
  const { target, rowOf } = volumeTarget(deps);
  const view = async (call: Pick<Call, 'ctx'>): Promise<Shown> => {
    const { type_id, encryption_key_id }: VolumeRow = rowOf(call);
    const type = type_id === null || encryption_key_id === null ? undefined : await types.find(readerOf(deps), type_id);
    if (type?.encryption_json == null) return { encryption_key_id };
    const { control_location, cipher, key_size, provider } = json<Required<Omit<Shown, 'encryption_key_id'>>>(type.encryption_json);
    return { encryption_key_id, control_location, cipher, key_size, provider };
  };
  return [
    endpoint({
      id: 'volume-encryption:list', method: 'GET', path: PATH, summary: 'Show how a volume is encrypted', policy: POLICY, target, status: 200,
      reply: Type.Object({ encryption_key_id: Type.Union([Type.String(), Type.Null()]) }),
      handler: (call) => view(call),
    }),
    endpoint({
      id: 'volume-encryption:show', method: 'GET', path: `${PATH}/{key}`, summary: 'Show one part of how a volume is encrypted', policy: POLICY, target, status: 200,
      // Of what there is not, cinder shows nothing.
      handler: async (call) => (await view(call))[call.params.key as keyof Shown],
    }),
  ];
}
