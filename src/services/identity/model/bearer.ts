import { isoMicros } from '../../../kernel/clock.ts';
import type { Bearer } from '../store/access.ts';
import type { Identity } from './identity.ts';

export function bearerOf(identity: Identity, user_id: string, group_ids?: readonly string[]): Bearer {
  return { user_id, now: isoMicros(identity.clock.now()), group_ids };
}
