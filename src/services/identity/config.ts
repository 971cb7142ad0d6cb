import { Type, type Static } from 'typebox';

/** One provider of OpenID Connect whose tokens are taken: `[[identity.oidc]]`. */
const OidcProviderSection = Type.Object({
  identity_provider: Type.String({ minLength: 1, description: 'The id of the identity provider in the API for which it speaks.' }),
  protocol: Type.String({ default: 'openid', description: 'The id of its protocol in the API.' }),
  issuer: Type.String({ pattern: '^https?://', description: 'Its address, word for word as in its tokens; https unless it is on this machine.' }),
  audiences: Type.Array(Type.String(), { minItems: 1, description: 'For whom tokens have to be made: client ids, or names of this cloud.' }),
  client_id: Type.String({ default: '', description: 'Our name there, to ask about access tokens that say nothing themselves.' }),
  client_secret: Type.String({ default: '', description: 'Our secret there.' }),
  userinfo: Type.Boolean({ default: true, description: 'Ask for more about the bearers of access tokens.' }),
}, { additionalProperties: false });

export type OidcProvider = Static<typeof OidcProviderSection>;

/** Section `[identity]` of the configuration file. */
export const IdentitySection = Type.Object({
  administrators: Type.Union([Type.Literal('any'), Type.Literal('system')], { default: 'any', description: 'Who is an administrator to this service: whoever is admin anywhere, or admins of the system alone, and those of a domain within it.' }),
  password_cost: Type.Integer({ default: 13, minimum: 4, maximum: 20, description: 'Cost of hashing a password: scrypt with N = 2^cost, r = 8. 13 takes about 25 ms and 8 MiB.' }),
  token_expiration: Type.Integer({ default: 3600, minimum: 60, description: 'Life of a token in seconds.' }),
  allow_expired_window: Type.Integer({ default: 172_800, minimum: 0, description: 'How many seconds after its end a token may still be shown with `allow_expired`.' }),
  fernet_keys: Type.String({ default: '', description: 'Folder of the keys that tokens are made with. Default: <data_dir>/secrets/fernet-keys.' }),
  credential_keys: Type.String({ default: '', description: 'Folder of the keys that credentials of users are encrypted with. Default: credential-keys beside fernet_keys.' }),
  max_active_keys: Type.Integer({ default: 3, minimum: 1, maximum: 100, description: 'How many keys a rotation leaves: one staged, one primary, the rest to read older tokens.' }),
  rotate_keys_every: Type.Integer({ default: 0, minimum: 0, description: 'Seconds between rotations of the keys; 0: only on demand, by a file `rotate` in their folder. At least the life of a token with three keys.' }),
  rotate_credential_keys_every: Type.Integer({ default: 0, minimum: 0, description: 'Seconds between rotations of the keys of credentials; 0: only on demand, by a file `rotate` in their folder.' }),
  list_limit: Type.Integer({ default: 10_000, minimum: 1, maximum: 100_000, description: 'The most entries that one list holds.' }),
  max_application_credentials: Type.Integer({ default: 1000, minimum: 1, description: 'How many application credentials one user may have.' }),
  password_regex: Type.String({ default: '', description: 'What every new password has to match, a regular expression; empty: anything.' }),
  password_regex_description: Type.String({ default: '', description: 'The same in words, for users whose password does not match.' }),
  request_token_expiration: Type.Integer({ default: 28_800, minimum: 0, description: 'How many seconds a user has to authorise a request token of OAuth 1.0a; 0: without end.' }),
  access_token_expiration: Type.Integer({ default: 86_400, minimum: 0, description: 'For how many seconds a program may then act for the user; 0: without end.' }),
  password_expires_days: Type.Integer({ default: 0, minimum: 0, description: 'Days after which a new password has to be changed; 0: never.' }),
  minimum_password_age: Type.Integer({ default: 0, minimum: 0, description: 'Days that users have to keep a password that they chose themselves.' }),
  unique_last_password_count: Type.Integer({ default: 0, minimum: 0, maximum: 100, description: 'How many of the last passwords a user may not choose again; 0: all may be.' }),
  change_password_upon_first_use: Type.Boolean({ default: false, description: 'Whether users have to change a password that an administrator gave them before it is good for anything.' }),
  lockout_failure_attempts: Type.Integer({ default: 0, minimum: 0, description: 'Wrong passwords in a row that lock an account, for everybody; 0: none do.' }),
  lockout_duration: Type.Integer({ default: 1800, minimum: 0, description: 'Seconds for which an account stays locked; 0: until an administrator enables it.' }),
  disable_user_account_days_inactive: Type.Integer({ default: 0, minimum: 0, description: 'Days without a login after which a user counts as disabled; 0: never.' }),
  receipt_expiration: Type.Integer({ default: 300, minimum: 10, description: 'Seconds in which the other methods of a login by several have to follow.' }),
  totp_previous_windows: Type.Integer({ default: 1, minimum: 0, maximum: 10, description: 'How many intervals of 30 seconds a one-time passcode may be late.' }),
  ec2_signature_ttl: Type.Integer({ default: 900, minimum: 1, description: 'How many seconds after it was signed a request with EC2 keys still counts.' }),
  limit_model: Type.Union([Type.Literal('flat'), Type.Literal('strict_two_level')], { default: 'flat', description: 'Whether limits of projects stand alone, or a project never has more than its domain (then projects are at most two levels deep).' }),
  max_credentials: Type.Integer({ default: 1000, minimum: 1, description: 'How many credentials (EC2 keys, TOTP seeds ...) one user may have.' }),
  authorization_ttl: Type.Integer({ default: 0, minimum: 0, description: 'Minutes for which groups that an identity provider gave a user outlive the login, so that their application credentials work; 0: they end with the token. Each provider may say otherwise.' }),
  oidc: Type.Array(OidcProviderSection, { default: [], description: 'Providers of OpenID Connect whose tokens are taken.' }),
  failed_logins: Type.Integer({ default: 20, minimum: 0, description: 'Wrong passwords in a row after which a user has to wait before the next try; 0: never.' }),
}, { additionalProperties: false });

export type IdentityConfig = Static<typeof IdentitySection>;
