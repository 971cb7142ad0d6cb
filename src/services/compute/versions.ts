/** Every microversion of the Compute API up to the newest that is whole here, one sentence each. */
import { type MicroversionRange, mv } from '../../kernel/api/microversion.ts';

export const versions = {
  /** v2.1 itself. */
  FIRST: mv('2.1'),
  /** Key pairs have a type; their create and delete answer 201 and 204. */
  KEYPAIR_TYPE: mv('2.2'),
  /** Servers show hostname, reservation, launch index, root device and user data to administrators. */
  SERVER_MORE_ATTRIBUTES: mv('2.3'),
  /** Fixed IPs show whether they are reserved. */
  FIXED_IP_RESERVED: mv('2.4'),
  /** Everybody may filter servers by IPv6 address. */
  SERVER_FILTER_IP6: mv('2.5'),
  /** One call for all kinds of remote consoles. */
  REMOTE_CONSOLES: mv('2.6'),
  /** Access to a public flavor cannot be granted. */
  FLAVOR_ACCESS_PRIVATE_ONLY: mv('2.7'),
  /** MKS consoles. */
  CONSOLE_MKS: mv('2.8'),
  /** Servers show whether they are locked. */
  SERVER_LOCKED: mv('2.9'),
  /** Administrators handle key pairs of any user. */
  KEYPAIR_USER: mv('2.10'),
  /** Services can be forced down. */
  SERVICE_FORCED_DOWN: mv('2.11'),
  /** Virtual interfaces show their network. */
  VIF_NETWORK: mv('2.12'),
  /** Server groups show project and user. */
  SERVER_GROUP_OWNER: mv('2.13'),
  /** Evacuate lost onSharedStorage. */
  EVACUATE_NO_SHARED_STORAGE: mv('2.14'),
  /** Soft affinity and soft anti-affinity. */
  SERVER_GROUP_SOFT: mv('2.15'),
  /** Servers show the state of their host. */
  SERVER_HOST_STATUS: mv('2.16'),
  /** Crash dumps can be triggered. */
  TRIGGER_CRASH_DUMP: mv('2.17'),
  /** The project id in the URL became optional. */
  NO_PROJECT_IN_URL: mv('2.18'),
  /** Servers have a description. */
  SERVER_DESCRIPTION: mv('2.19'),
  /** Volumes attach to shelved servers. */
  SHELVED_VOLUMES: mv('2.20'),
  /** The actions of deleted servers can be read. */
  ACTIONS_OF_DELETED: mv('2.21'),
  /** A live migration can be forced to complete. */
  FORCE_COMPLETE: mv('2.22'),
  /** Migrations of a server can be read. */
  SERVER_MIGRATIONS: mv('2.23'),
  /** A live migration can be aborted. */
  ABORT_MIGRATION: mv('2.24'),
  /** block_migration may be auto. */
  BLOCK_MIGRATION_AUTO: mv('2.25'),
  /** Servers have tags. */
  SERVER_TAGS: mv('2.26'),
  /** The OpenStack-API-Version header. */
  VERSION_HEADER: mv('2.27'),
  /** The CPU information of a hypervisor is an object. */
  CPU_INFO_OBJECT: mv('2.28'),
  /** Evacuate checks its target host. */
  EVACUATE_FORCE: mv('2.29'),
  /** Live migration checks its target host. */
  LIVE_MIGRATE_FORCE: mv('2.30'),
  /** Console tokens of all types can be checked. */
  CONSOLE_TOKENS: mv('2.31'),
  /** Devices can be tagged at create, for this version only where block devices are concerned. */
  DEVICE_TAGS: mv('2.32'),
  /** Hypervisors are paged; block devices lost their tag. */
  HYPERVISOR_PAGES: mv('2.33'),
  /** Live migration checks asynchronously. */
  LIVE_MIGRATE_ASYNC: mv('2.34'),
  /** Key pairs are paged. */
  KEYPAIR_PAGES: mv('2.35'),
  /** The proxies to other services are gone. */
  NO_PROXIES: mv('2.36'),
  /** `networks` is required and may be auto or none. */
  NETWORKS_AUTO: mv('2.37'),
  /** An unknown status filter is refused. */
  SERVER_STATUS_CHECKED: mv('2.38'),
  /** The image metadata proxy is gone, and its limit. */
  NO_IMAGE_METADATA: mv('2.39'),
  /** Tenant usage is paged. */
  USAGE_PAGES: mv('2.40'),
  /** Aggregates show their UUID. */
  AGGREGATE_UUID: mv('2.41'),
  /** Device tags are back. */
  DEVICE_TAGS_AGAIN: mv('2.42'),
  /** os-hosts is gone. */
  NO_HOSTS: mv('2.43'),
  /** The actions on fixed and floating addresses are gone. */
  NO_ADDRESS_ACTIONS: mv('2.44'),
  /** createImage answers with a body. */
  IMAGE_ID_IN_BODY: mv('2.45'),
  /** The request id is in X-OpenStack-Request-ID. */
  REQUEST_ID_HEADER: mv('2.46'),
  /** Servers embed their flavor. */
  SERVER_FLAVOR_EMBEDDED: mv('2.47'),
  /** Diagnostics have one shape for all drivers. */
  DIAGNOSTICS_STANDARD: mv('2.48'),
  /** Devices can be tagged when they are attached. */
  ATTACH_TAGS: mv('2.49'),
  /** Quota classes show server groups. */
  QUOTA_CLASS_GROUPS: mv('2.50'),
  /** Everybody sees the events of an action, but for the traceback. */
  ACTION_EVENTS: mv('2.51'),
  /** Tags can be given at create. */
  SERVER_TAGS_AT_CREATE: mv('2.52'),
  /** Services and hypervisors are known by UUID. */
  SERVICE_UUID: mv('2.53'),
  /** Rebuild can change the key. */
  REBUILD_KEY: mv('2.54'),
  /** Flavors have a description. */
  FLAVOR_DESCRIPTION: mv('2.55'),
  /** Cold migration takes a host. */
  MIGRATE_HOST: mv('2.56'),
  /** Personality files are gone. */
  NO_PERSONALITY: mv('2.57'),
  /** Actions are paged and filtered by time, and show when they were updated. */
  ACTION_PAGES: mv('2.58'),
  /** Migrations are paged. */
  MIGRATION_PAGES: mv('2.59'),
  /** Volumes may be attached to several servers. */
  MULTI_ATTACH: mv('2.60'),
  /** Flavors show extra specs. */
  FLAVOR_EXTRA_SPECS: mv('2.61'),
  /** Action events show the host. */
  ACTION_EVENT_HOST: mv('2.62'),
  /** Servers show trusted image certificates. */
  TRUSTED_CERTIFICATES: mv('2.63'),
  /** Server groups have one policy with rules. */
  SERVER_GROUP_POLICY: mv('2.64'),
  /** A queued live migration can be aborted. */
  ABORT_QUEUED_MIGRATION: mv('2.65'),
  /** changes-before. */
  CHANGES_BEFORE: mv('2.66'),
  /** A block device takes a volume type. */
  VOLUME_TYPE: mv('2.67'),
  /** Forced migrations are gone. */
  NO_FORCED_MOVE: mv('2.68'),
  /** Servers of a cell that is down are shown in part. */
  DOWN_CELLS: mv('2.69'),
  /** Attachments show their tag. */
  ATTACHMENT_TAGS: mv('2.70'),
  /** One server shows its group. */
  SERVER_SHOWS_GROUP: mv('2.71'),
  /** Ports may ask for bandwidth. */
  PORT_RESOURCES: mv('2.72'),
  /** A lock has a reason, and lists filter by it. */
  LOCK_REASON: mv('2.73'),
  /** Administrators may ask for a host at create. */
  REQUESTED_HOST: mv('2.74'),
  /** Unknown query parameters are refused, and every server representation is the same. */
  STRICT_QUERIES: mv('2.75'),
  /** Power updates come as external events. */
  POWER_UPDATE: mv('2.76'),
  /** Unshelve takes a zone. */
  UNSHELVE_ZONE: mv('2.77'),
  /** A server's NUMA topology can be read. */
  SERVER_TOPOLOGY: mv('2.78'),
  /** An attachment says whether its volume goes with the server. */
  DELETE_ON_TERMINATION: mv('2.79'),
  /** Migrations show user and project. */
  MIGRATION_OWNER: mv('2.80'),
  /** Images can be cached by aggregate. */
  AGGREGATE_IMAGES: mv('2.81'),
  /** Accelerators report by external events. */
  ACCELERATOR_EVENTS: mv('2.82'),
  /** Everybody may use more filters on servers. */
  SERVER_MORE_FILTERS: mv('2.83'),
  /** Action events have details. */
  ACTION_EVENT_DETAILS: mv('2.84'),
  /** Attachments can be updated. */
  UPDATE_ATTACHMENT: mv('2.85'),
  /** Extra specs are checked. */
  EXTRA_SPECS_CHECKED: mv('2.86'),
  /** Rescue of servers that boot from a volume. */
  RESCUE_VOLUME: mv('2.87'),
  /** Hypervisors lost their statistics. */
  HYPERVISOR_NO_STATISTICS: mv('2.88'),
  /** Attachments show their ids. */
  ATTACHMENT_IDS: mv('2.89'),
  /** The hostname can be set, and everybody sees it. */
  SERVER_HOSTNAME: mv('2.90'),
  /** Unshelve to a host. */
  UNSHELVE_HOST: mv('2.91'),
  /** Key pairs are no longer generated. */
  KEYPAIR_IMPORT_ONLY: mv('2.92'),
  /** Rebuild of servers that boot from a volume. */
  REBUILD_VOLUME: mv('2.93'),
  /** The hostname may have a domain. */
  SERVER_FQDN: mv('2.94'),
  /** Evacuated servers stay stopped. */
  EVACUATE_STOPPED: mv('2.95'),
  /** Servers show the zone that they were asked to be in. */
  PINNED_ZONE: mv('2.96'),
  /** SPICE consoles without a page. */
  SPICE_DIRECT: mv('2.99'),
} as const;

export const computeVersions: MicroversionRange = {
  word: 'compute',
  min: versions.FIRST,
  max: versions.PINNED_ZONE,
  legacyHeader: 'X-OpenStack-Nova-API-Version',
};
