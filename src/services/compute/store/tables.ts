/** The rows of compute. Instants are ISO text with microseconds, booleans 0/1, `*_json` holds JSON. */
export interface ServerRow {
  id: string;
  name: string;
  description: string | null;
  hostname: string;
  project_id: string;
  user_id: string;
  reservation_id: string;
  launch_index: number;
  image_id: string;
  image_name: string | null;
  /** The flavor as it was when the server was made: `FlavorSnapshot`. */
  flavor_json: string;
  flavor_id: string;
  vcpus: number;
  ram_mb: number;
  /** Metadata, tags, NICs (`ServerNic[]`), what the API shows of them (`ShownAddresses`), security groups (`{ id, name }[]`). */
  metadata_json: string;
  tags_json: string;
  nics_json: string;
  addresses_json: string;
  security_groups_json: string;
  key_name: string | null;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  disk_config: 'AUTO' | 'MANUAL';
  config_drive: string;
  has_user_data: number;
  /** What was asked for; null: any. */
  pinned_zone: string | null;
  server_group_id: string | null;
  /** Where it is; null until a node was claimed. */
  node_id: string | null;
  host: string | null;
  zone: string | null;
  vm_state: string;
  task_state: string | null;
  power_state: number;
  progress: number;
  locked_by: 'owner' | 'admin' | null;
  locked_reason: string | null;
  /** `ServerFault`. */
  fault_json: string | null;
  launched_at: string | null;
  terminated_at: string | null;
  created_at: string;
  updated_at: string;
  deleted: number;
  deleted_at: string | null;
}

/** What only a boot needs: kept apart so that lists stay small. */
export interface ServerBootRow {
  server_id: string;
  user_data: string | null;
  public_key: string | null;
  /** `ImageRef`, `PlannedNic[]`, ids, `InjectedFile[]`, the command, the environment, the hints, the asked-for hosts. */
  image_json: string;
  nics_json: string;
  security_group_ids_json: string;
  files_json: string;
  command_json: string;
  environment_json: string;
  hints_json: string;
  requested_json: string;
  /** `GuestSettings`. */
  guest_json: string;
}

export interface ServerPasswordRow {
  server_id: string;
  password: string;
}

export interface ShelvedServerRow {
  server_id: string;
  /** The image with what it has written, and the same as a boot needs to know it: `BootImage`. */
  image_id: string;
  image_json: string;
  shelved_at: string;
}

/** A volume of a server: nova's block device mapping. */
export interface BlockDeviceRow {
  id: string;
  server_id: string;
  /** What it is made of when the server is; `volume`: it was there. */
  source_type: 'volume' | 'image' | 'snapshot' | 'blank';
  /** Of the image or the snapshot. */
  source_id: string | null;
  /** That of a volume which is still to be made, too. */
  volume_id: string;
  /** Null until block storage has reserved it for the server. */
  attachment_id: string | null;
  /** `/dev/vdb` */
  device: string;
  mount_path: string | null;
  /** 0: the server boots from it. */
  boot_index: number | null;
  tag: string | null;
  volume_type: string | null;
  volume_name: string | null;
  /** GiB */
  volume_size: number;
  /** Of a volume that is there on one node only; null: on any. */
  node_id: string | null;
  delete_on_termination: number;
  multiattach: number;
  /** Whether compute has asked for the volume to be made. */
  made: number;
  created_at: string;
}

export interface ServerTagRow {
  server_id: string;
  tag: string;
}

export interface ServerActionRow {
  id: string;
  server_id: string;
  action: string;
  request_id: string;
  project_id: string | null;
  user_id: string | null;
  start_time: string;
  updated_at: string;
  message: string | null;
}

export interface ServerActionEventRow {
  id: string;
  action_id: string;
  event: string;
  start_time: string;
  finish_time: string | null;
  result: 'Success' | 'Error' | null;
  traceback: string | null;
  details: string | null;
  host: string | null;
}

export interface ServerGroupRow {
  id: string;
  name: string;
  project_id: string;
  user_id: string;
  policy: string;
  rules_json: string;
  created_at: string;
}

export interface FlavorRow {
  /** The free-text flavor id. */
  id: string;
  name: string;
  vcpus: number;
  ram_mb: number;
  disk_gb: number;
  ephemeral_gb: number;
  swap_mb: number;
  rxtx_factor: number;
  is_public: number;
  disabled: number;
  description: string | null;
  /** Extra specs. */
  extra_specs: string;
  created_at: string;
  updated_at: string | null;
}

export interface FlavorAccessRow {
  flavor_id: string;
  project_id: string;
}

export interface KeypairRow {
  user_id: string;
  name: string;
  type: string;
  public_key: string;
  fingerprint: string;
  created_at: string;
}

export interface QuotaRow {
  project_id: string;
  /** Empty for the project's own limit. */
  user_id: string;
  resource: string;
  hard_limit: number;
}

export interface ProjectLockRow {
  project_id: string;
  taken: number;
}

/** A node with the compute role: nova's service and hypervisor in one. */
export interface NodeRow {
  id: string;
  host: string;
  disabled: number;
  disabled_reason: string | null;
  forced_down: number;
  connected: number;
  last_seen_at: string;
  /** `HostResources` as last reported. */
  resources_json: string;
  created_at: string;
  updated_at: string;
}

/** One move of a server, or one change of its size. It is also a consumer of placement, by its uuid. */
export interface MigrationRow {
  uuid: string;
  /** By which the API knows it. */
  id: number;
  server_id: string;
  migration_type: 'migration' | 'resize' | 'live-migration' | 'evacuation';
  /** Nova's: `pre-migrating`, `migrating`, `finished`, `confirmed` … */
  status: string;
  source_node_id: string | null;
  source_compute: string | null;
  /** Null until a node was claimed. */
  dest_node_id: string | null;
  dest_compute: string | null;
  /** The address of that node. */
  dest_host: string | null;
  /** `FlavorSnapshot`; the same for a plain move. */
  old_flavor_json: string;
  new_flavor_json: string;
  /** `ServerBefore`: what a revert goes back to. */
  before_json: string;
  user_id: string | null;
  project_id: string | null;
  created_at: string;
  updated_at: string;
}

export interface ComputeTables {
  compute_servers: ServerRow;
  compute_server_boots: ServerBootRow;
  compute_block_devices: BlockDeviceRow;
  compute_server_tags: ServerTagRow;
  compute_server_passwords: ServerPasswordRow;
  compute_shelved_servers: ShelvedServerRow;
  compute_server_actions: ServerActionRow;
  compute_server_action_events: ServerActionEventRow;
  compute_server_groups: ServerGroupRow;
  compute_flavors: FlavorRow;
  compute_flavor_access: FlavorAccessRow;
  compute_keypairs: KeypairRow;
  compute_quotas: QuotaRow;
  compute_project_locks: ProjectLockRow;
  compute_nodes: NodeRow;
  compute_migrations: MigrationRow;
}
