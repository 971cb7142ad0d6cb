import { Type, type Static } from 'typebox';

/** Section `[identity]` of the configuration file. */
export const IdentitySection = Type.Object({
  password_cost: Type.Integer({ default: 13, minimum: 4, maximum: 20, description: 'Cost of hashing a password: scrypt with N = 2^cost, r = 8. 13 takes about 25 ms and 8 MiB.' }),
  token_expiration: Type.Integer({ default: 3600, minimum: 60, description: 'Life of a token in seconds.' }),
  allow_expired_window: Type.Integer({ default: 172_800, minimum: 0, description: 'How many seconds after its end a token may still be shown with `allow_expired`.' }),
  fernet_keys: Type.String({ default: '', description: 'Folder of the keys that tokens are made with. Default: <data_dir>/secrets/fernet-keys.' }),
  credential_keys: Type.String({ default: '', description: 'Folder of the keys that credentials of users are encrypted with. Default: credential-keys beside fernet_keys.' }),
  max_active_keys: Type.Integer({ default: 3, minimum: 1, maximum: 100, description: 'How many keys a rotation leaves: one staged, one primary, the rest to read older tokens.' }),
  rotate_keys_every: Type.Integer({ default: 0, minimum: 0, description: 'Seconds between rotations of the keys; 0: only on demand. At least the life of a token with three keys.' }),
  list_limit: Type.Integer({ default: 10_000, minimum: 1, maximum: 100_000, description: 'The most entries that one list holds.' }),
  max_application_credentials: Type.Integer({ default: 1000, minimum: 1, description: 'How many application credentials one user may have.' }),
  password_regex: Type.String({ default: '', description: 'What every new password has to match, a regular expression; empty: anything.' }),
  password_regex_description: Type.String({ default: '', description: 'The same in words, for users whose password does not match.' }),
  limit_model: Type.Union([Type.Literal('flat'), Type.Literal('strict_two_level')], { default: 'flat', description: 'Whether limits of projects stand alone, or a project never has more than its domain (then projects are at most two levels deep).' }),
  max_credentials: Type.Integer({ default: 1000, minimum: 1, description: 'How many credentials (EC2 keys, TOTP seeds ...) one user may have.' }),
  failed_logins: Type.Integer({ default: 20, minimum: 0, description: 'Wrong passwords in a row after which a user has to wait before the next try; 0: never.' }),
}, { additionalProperties: false });

export type IdentityConfig = Static<typeof IdentitySection>;
