/** The rows of identity. Instants are ISO text with microseconds, booleans 0/1, `extra` and `options` JSON objects as text. */

export interface Tables {
  identity_state: { id: number; generation: number };
  identity_projects: ProjectRow;
  identity_project_tags: { project_id: string; name: string };
  identity_users: UserRow;
  identity_groups: GroupRow;
  identity_memberships: { user_id: string; group_id: string };
  identity_roles: RoleRow;
  identity_implied_roles: { prior_role_id: string; implied_role_id: string };
  identity_assignments: AssignmentRow;
  identity_application_credentials: ApplicationCredentialRow;
  identity_application_credential_roles: { application_credential_id: string; role_id: string };
  identity_access_rules: AccessRuleRow;
  identity_application_credential_rules: { application_credential_id: string; access_rule_id: string };
  identity_regions: RegionRow;
  identity_services: ServiceRow;
  identity_endpoints: EndpointRow;
  identity_revocations: RevocationRow;
  identity_credentials: CredentialRow;
  identity_trusts: TrustRow;
  identity_trust_roles: { trust_id: string; role_id: string };
  identity_registered_limits: RegisteredLimitRow;
  identity_limits: LimitRow;
  identity_domain_options: DomainOptionRow;
  identity_consumers: ConsumerRow;
  identity_request_tokens: RequestTokenRow;
  identity_access_tokens: AccessTokenRow;
  identity_policies: PolicyRow;
  identity_endpoint_groups: EndpointGroupRow;
  identity_project_endpoints: { project_id: string; endpoint_id: string };
  identity_project_endpoint_groups: { project_id: string; endpoint_group_id: string };
  identity_policy_associations: PolicyAssociationRow;
  identity_identity_providers: IdentityProviderRow;
  identity_remote_ids: { remote_id: string; identity_provider_id: string };
  identity_mappings: MappingRow;
  identity_protocols: ProtocolRow;
  identity_service_providers: ServiceProviderRow;
  identity_federated_users: FederatedUserRow;
  identity_expiring_memberships: ExpiringMembershipRow;
  identity_password_history: PasswordHistoryRow;
  /** The latest interval of which a passcode was used. */
  identity_used_passcodes: { credential_id: string; step: number };
}

/** Domains are projects too, as in keystone: theirs is the domain id ''. */
export interface ProjectRow {
  id: string;
  name: string;
  domain_id: string;
  /** The domain itself for a project at the top; null for a domain. */
  parent_id: string | null;
  is_domain: number;
  enabled: number;
  description: string;
  options: string;
  extra: string;
}

export interface UserRow {
  id: string;
  name: string;
  domain_id: string;
  enabled: number;
  default_project_id: string | null;
  password_hash: string | null;
  options: string;
  extra: string;
  /** Null for users of times when nobody asked. */
  created_at: string | null;
  /** The day of the last login, noted where inactive users are disabled. */
  last_active_on: string | null;
  password_created_at: string | null;
  password_expires_at: string | null;
  /** The user chose the password, rather than an administrator. */
  password_self_service: number;
  /** Wrong passwords in a row, counted where they lock the account. */
  failed_logins: number;
  failed_login_at: string | null;
}

export interface GroupRow {
  id: string;
  name: string;
  domain_id: string;
  description: string;
  extra: string;
}

export interface RoleRow {
  id: string;
  name: string;
  /** '' for a global role. */
  domain_id: string;
  description: string | null;
  options: string;
  extra: string;
}

export interface AssignmentRow {
  actor_type: 'user' | 'group';
  actor_id: string;
  target_type: 'project' | 'domain' | 'system';
  /** `system` for the system. */
  target_id: string;
  role_id: string;
  inherited: number;
}

export interface ApplicationCredentialRow {
  id: string;
  name: string;
  user_id: string;
  project_id: string;
  description: string | null;
  secret_hash: string;
  unrestricted: number;
  expires_at: string | null;
  /** Has access rules: an empty list of them allows nothing, no list everything. */
  ruled: number;
}

export interface AccessRuleRow {
  id: string;
  user_id: string;
  service: string;
  path: string;
  method: string;
}

export interface RegionRow {
  id: string;
  parent_region_id: string | null;
  description: string;
  extra: string;
}

export interface ServiceRow {
  id: string;
  type: string;
  name: string | null;
  description: string | null;
  enabled: number;
  extra: string;
}

export interface EndpointRow {
  id: string;
  service_id: string;
  interface: 'public' | 'internal' | 'admin';
  region_id: string | null;
  /** May hold `$(project_id)s` and `$(public_url)s`. */
  url: string;
  enabled: number;
  extra: string;
}

/** Tokens that carry this value and were made up to that instant are no longer valid. */
export interface RevocationRow {
  kind: 'audit' | 'chain' | 'user' | 'project' | 'trust' | 'application_credential' | 'access_token';
  value: string;
  /** Milliseconds since 1970. */
  revoked_at: number;
  /** When somebody revoked them; the same but for single tokens. */
  made_at: number;
}

export interface CredentialRow {
  /** The SHA-256 of the access key for type ec2. */
  id: string;
  type: string;
  /** Encrypted. */
  blob: string;
  user_id: string;
  project_id: string | null;
  extra: string;
  /** Tells the key apart by which the secret is encrypted; '' when it was not yet written down. */
  key_hash: string;
}

export interface RegisteredLimitRow {
  id: string;
  service_id: string;
  /** '' for all regions. */
  region_id: string;
  resource_name: string;
  /** -1: as much as there is. */
  default_limit: number;
  description: string | null;
}

/** What differs for one project or one domain; what it is about is repeated from what it refers to, which does not change under it. */
export interface LimitRow {
  id: string;
  registered_limit_id: string;
  project_id: string | null;
  domain_id: string | null;
  service_id: string;
  region_id: string;
  resource_name: string;
  resource_limit: number;
  description: string | null;
}

export interface DomainOptionRow {
  domain_id: string;
  option_group: string;
  option_name: string;
  /** JSON; encrypted when sensitive. */
  value: string;
  sensitive: number;
  key_hash: string;
}

export interface ConsumerRow {
  id: string;
  /** Encrypted. */
  secret: string;
  key_hash: string;
  description: string | null;
  extra: string;
}

export interface RequestTokenRow {
  id: string;
  /** Encrypted. */
  secret: string;
  key_hash: string;
  consumer_id: string;
  project_id: string;
  expires_at: string | null;
  /** These three are there once a user has authorised it. */
  user_id: string | null;
  verifier: string | null;
  /** JSON. */
  role_ids: string | null;
}

export interface AccessTokenRow {
  id: string;
  /** Encrypted. */
  secret: string;
  key_hash: string;
  consumer_id: string;
  project_id: string;
  user_id: string;
  /** JSON. */
  role_ids: string;
  expires_at: string | null;
}

export interface TrustRow {
  id: string;
  trustor_user_id: string;
  trustee_user_id: string;
  project_id: string;
  impersonation: number;
  redelegation_count: number;
  redelegated_trust_id: string | null;
  expires_at: string | null;
  /** Null: any number. */
  remaining_uses: number | null;
}

export interface PolicyRow {
  id: string;
  type: string;
  blob: string;
  extra: string;
}

export interface EndpointGroupRow {
  id: string;
  name: string;
  description: string | null;
  /** JSON object: `service_id`, `region_id`, `interface`, `enabled`. */
  filters: string;
}

export interface PolicyAssociationRow {
  /** `endpoint/<id>`, `service/<id>` or `service/<id>/<region>`. */
  target: string;
  policy_id: string;
  endpoint_id: string | null;
  service_id: string | null;
  region_id: string | null;
}

/** Somebody else who knows users: an OpenID Connect provider. */
export interface IdentityProviderRow {
  id: string;
  /** Where its users belong. */
  domain_id: string;
  enabled: number;
  description: string | null;
  /** Minutes for which memberships in groups outlive the login; null: they live in the token alone. */
  authorization_ttl: number | null;
}

export interface MappingRow {
  id: string;
  /** JSON array. */
  rules: string;
  schema_version: string;
}

/** By which mapping an identity provider's words of one kind are read. */
export interface ProtocolRow {
  id: string;
  identity_provider_id: string;
  mapping_id: string;
  remote_id_attribute: string | null;
}

/** Another cloud that trusts this one. */
export interface ServiceProviderRow {
  id: string;
  auth_url: string;
  sp_url: string;
  description: string | null;
  enabled: number;
  relay_state_prefix: string;
}

export interface FederatedUserRow {
  identity_provider_id: string;
  protocol_id: string;
  unique_id: string;
  user_id: string;
}

export interface ExpiringMembershipRow {
  user_id: string;
  group_id: string;
  identity_provider_id: string;
  expires_at: string;
}

/** A password that a user had before. */
export interface PasswordHistoryRow {
  user_id: string;
  created_at: string;
  password_hash: string;
}
