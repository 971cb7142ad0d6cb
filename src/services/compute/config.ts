import { Type } from 'typebox';
import type { Static } from 'typebox';

/** The `[compute]` section of the configuration. */
export const ComputeSection = Type.Object(
  {
    default_availability_zone: Type.String({ default: 'nova', minLength: 1, description: 'Zone of hosts that no aggregate puts into another.' }),
    dhcp_domain: Type.String({ default: 'novalocal', description: 'What follows the name of a server in the host name that its metadata tell; empty: nothing.' }),
    force_config_drive: Type.Boolean({ default: false, description: 'Whether every server gets a config drive, asked for or not.' }),
    cpu_allocation_ratio: Type.Number({ default: 16, exclusiveMinimum: 0, description: 'How many virtual CPUs are given out per CPU of a host.' }),
    ram_allocation_ratio: Type.Number({ default: 1, exclusiveMinimum: 0, description: 'How much memory is given out per memory of a host.' }),
    disk_allocation_ratio: Type.Number({ default: 1, exclusiveMinimum: 0, description: 'How much disk is given out per disk of a host.' }),
    reserved_memory_mb: Type.Integer({ default: 512, minimum: 0, description: 'Memory of a host that is kept back for the host itself.' }),
    pids_limit: Type.Integer({ default: 4096, minimum: 16, description: 'Most processes and threads in one server; the flavor extra spec docker:pids replaces it.' }),
    shutdown_timeout: Type.Integer({ default: 60, minimum: 0, description: 'Seconds that a server has to end by itself when it is stopped.' }),
    boot_timeout: Type.Integer({ default: 600, minimum: 1, description: 'Seconds that a node has to start a server, fetching its image included.' }),
    enable_instance_password: Type.Boolean({ default: true, description: "Whether a new or rescued server is given a password, which its maker is told." }),
    crash_dump_signal: Type.String({ default: 'SIGQUIT', pattern: '^SIG[A-Z0-9+-]{1,12}$', description: 'What a server gets that is to dump its state.' }),
    reclaim_instance_interval: Type.Integer({ default: 0, minimum: 0, description: 'Seconds that deleted servers can still be restored; 0: they are gone at once.' }),
    snapshot_timeout: Type.Integer({ default: 3600, minimum: 1, description: 'Seconds that a node has to note what a server has changed, and again to send it, for an image.' }),
    non_inheritable_image_properties: Type.Array(Type.String({ minLength: 1 }), { default: ['cache_in_nova', 'bittorrent'], description: 'Properties of images that images made of servers do not have from them.' }),
    max_limit: Type.Integer({ default: 1000, minimum: 1, description: 'Most entries on one page of a list.' }),
    max_schedule_attempts: Type.Integer({ default: 3, minimum: 1, description: 'How many hosts are tried for one server.' }),
    resize_confirm_window: Type.Integer({ default: 0, minimum: 0, description: 'Seconds after which a resize or move counts as confirmed; 0: never.' }),
    sync_interval: Type.Integer({ default: 60, minimum: 1, description: 'Seconds between two comparisons of servers with what the nodes run.' }),
    orphan_grace: Type.Integer({ default: 120, minimum: 0, description: 'Seconds that a guest without a server may stay on a node before it is removed.' }),
    console_token_ttl: Type.Integer({ default: 600, minimum: 1, description: 'Seconds that the URL of a console can be opened.' }),
    console_idle_timeout: Type.Integer({ default: 1800, minimum: 0, description: 'Seconds without a byte either way after which a console is closed; 0: never.' }),
    console_max_time: Type.Integer({ default: 43200, minimum: 0, description: 'Seconds that one console may stay open; 0: any time.' }),
    console_max_open: Type.Integer({ default: 1000, minimum: 1, description: 'Consoles open at a time, of all servers.' }),
    console_max_open_per_server: Type.Integer({ default: 32, minimum: 1, description: 'Consoles of one server open at a time.' }),
    console_modes: Type.Array(Type.Union([Type.Literal('log'), Type.Literal('attach'), Type.Literal('exec')]), { default: ['log', 'attach', 'exec'], uniqueItems: true, description: 'What consoles are for: log shows the output, attach is the main process, exec runs programs beside it.' }),
    console_allowed_origins: Type.Array(Type.String(), { default: [], description: 'Hosts beside its own whose web pages may open consoles: dashboard.example.com.' }),
    quota_driver: Type.Union([Type.Literal('local'), Type.Literal('unified')], { default: 'local', description: 'Where limits of projects come from: local are those below and what is set through the Compute API, unified are those that identity keeps, by which nothing is limited that is not registered there.' }),
    quota_instances: Type.Integer({ default: 10, minimum: -1, description: 'Servers a project may have; -1: any number.' }),
    quota_cores: Type.Integer({ default: 20, minimum: -1, description: 'Virtual CPUs a project may have.' }),
    quota_ram: Type.Integer({ default: 51200, minimum: -1, description: 'Memory in MiB a project may have.' }),
    quota_metadata_items: Type.Integer({ default: 128, minimum: -1, description: 'Metadata entries of one server.' }),
    quota_injected_files: Type.Integer({ default: 5, minimum: -1, description: 'Files put into one new server.' }),
    quota_injected_file_content_bytes: Type.Integer({ default: 10240, minimum: -1, description: 'Bytes of one such file.' }),
    quota_injected_file_path_length: Type.Integer({ default: 255, minimum: -1, description: 'Characters of the path of one such file.' }),
    quota_key_pairs: Type.Integer({ default: 100, minimum: -1, description: 'Key pairs of one user.' }),
    quota_server_groups: Type.Integer({ default: 10, minimum: -1, description: 'Server groups of a project.' }),
    quota_server_group_members: Type.Integer({ default: 10, minimum: -1, description: 'Servers of one server group.' }),
  },
  { additionalProperties: false },
);

export type ComputeConfig = Static<typeof ComputeSection>;
