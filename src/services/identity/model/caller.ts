import type { Auth } from '../../../kernel/context.ts';
import type { Bearer } from '../store/access.ts';
import { bearerOf } from './bearer.ts';
import type { Identity } from './identity.ts';
import { validateToken } from './tokens.ts';

/** The caller, with the groups that their token brings along. */
export async function callerOf(identity: Identity, auth: Auth): Promise<Bearer> {
  return bearerOf(identity, auth.user_id, (await validateToken(identity, auth.token))?.payload.group_ids);
}
