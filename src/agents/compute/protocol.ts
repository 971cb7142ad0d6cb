/**
 * What the controller may ask of the compute role of a node. Every call is idempotent by `server_id`;
 * the Docker driver and the fake one implement the same `ComputeDriver`.
 */
import type { ConsoleRequest, GuestConsole } from './console-protocol.ts';
import type { NodeNetworkState } from '../network/protocol.ts';
import type { ConvertDisk, ConvertedDisk, ConvertProgress, LoginUser, RootFacts } from './disk-protocol.ts';
import type { FlavorOptions, GuestOptions, PasswordHash } from './guest-protocol.ts';

export type { ConvertDisk, ConvertedDisk, ConvertProgress, LoginUser, RootFacts } from './disk-protocol.ts';
export type { DiskRates, FlavorOptions, GuestOptions, PasswordHash, RestartRule, Ulimit } from './guest-protocol.ts';

export interface ImageRef {
  /** Glance id; with `digest` the only name by which a node knows an image. */
  id: string;
  /** Lower-case hex sha-256 of the stored archive. */
  digest: string;
  size: number;
  container_format: string;
  disk_format: string;
}

/** A stored blob: its digest (lower-case hex sha-256) and its length in bytes. */
export interface BlobRef {
  digest: string;
  size: number;
}

/** What an image is made of, as the image service keeps it. */
export interface ImageManifest {
  digest: string;
  config: BlobRef;
  /** From the lowest up. `diff_id`: `sha256:` and the hex digest of the unpacked layer, as the configuration claims it; null: only there. */
  layers: (BlobRef & { diff_id: string | null; media_type: string })[];
}

/** How an image came to a node. */
export interface ImageFetch {
  /** It was there before: nothing was done. */
  present: boolean;
  /** What crossed the network, as stored. */
  bytes_fetched: number;
  layers_fetched: number;
  /** Layers that were not fetched since the node had them, and how long they are in the store. */
  layers_reused: number;
  bytes_reused: number;
  ms: number;
}

export interface GuestLimits {
  vcpus: number;
  memory_mb: number;
  swap_mb: number;
  disk_gb: number;
  pids: number;
}

export interface InjectedFile {
  path: string;
  /** base64 */
  content: string;
  mode?: number;
}

/** A guest that runs an init of its own. */
export interface SystemGuest {
  init: RootFacts['init'];
  /** Whose authorized_keys the ssh keys go to. */
  user: LoginUser;
}

/** Each file with all its names, below the drive's root. */
export interface ConfigDrive {
  files: { /** base64 */ content: string; paths: string[] }[];
}

/** What a server asked its metadata service; which server it is, the node knows by its port. `path` is without a query, `body` base64. */
export interface MetadataRequest {
  server_id: string;
  method: string;
  path: string;
  body?: string;
}

/** `body` is base64. */
export type MetadataReply = Record<'type' | 'body', string> & { status: number };

/** A volume as a guest has it. The node's own storage knows its device; the guest sees that as `device`. */
export interface GuestVolume {
  volume_id: string;
  attachment_id: string;
  /** `/dev/vdb` */
  device: string;
  /** Where its file system is mounted, which a blank volume is given first; null: the device alone. */
  mount_path: string | null;
  read_only: boolean;
  /** 0: the guest's root is on it. */
  boot_index: number | null;
  multiattach: boolean;
}

export interface AttachedVolume {
  device: string;
  mounted: boolean;
}

/** All that a container is made of. */
export interface GuestSpec {
  server_id: string;
  name: string;
  hostname: string;
  project_id: string;
  user_id: string;
  flavor_name: string;
  image: ImageRef;
  limits: GuestLimits;
  /** Overrides the image's CMD. */
  command: string[] | null;
  /** Whether its main process gets a terminal. */
  tty?: boolean;
  /** Whether the node may listen for ssh on the server's behalf where its image does not. */
  ssh_door?: boolean;
  options?: GuestOptions;
  of_flavor?: FlavorOptions;
  environment: Record<string, string>;
  files: InjectedFile[];
  /** Lines for the login user's authorized_keys. */
  ssh_keys: string[];
  /** For those of these users that the image has. */
  passwords?: PasswordHash[];
  dns: { servers: string[]; search: string[] };
  /** Server metadata as the user wrote it: fake drivers read `fail:spawn`, `slow:spawn` = `5s` … from it. */
  metadata: Record<string, string>;
  /** Of an image that was made from a disk; absent: an application. */
  system?: SystemGuest;
  /** Of an application: whose authorized_keys the keys go to, by the image's own /etc/passwd; absent: root. */
  login_user?: string;
  /** base64; carried out by the node when the image has no cloud-init. */
  user_data?: string;
  config_drive?: ConfigDrive;
  /** A server that moves here: what it wrote comes from this path of the controller, and no file is put in. */
  layer?: string;
  /** It is made, and not started. */
  off?: true;
  network: NodeNetworkState;
  /** Attached before its first process starts, and again at every start. */
  volumes?: GuestVolume[];
  /**
   * Which making of this server's guest it is. One that has another is replaced: its container and disk go, its namespace with
   * cables and addresses stays. Absent: whatever guest there is, is the one.
   */
  incarnation?: string;
}

/** Nova's power states by name. */
export type PowerState = 'nostate' | 'running' | 'paused' | 'shutdown' | 'crashed' | 'suspended';

export interface GuestReport {
  server_id: string;
  container_id: string | null;
  power_state: PowerState;
  /** Of the last exit, when the container is not running. */
  exit_code: number | null;
  oom_killed: boolean;
  /** ISO instants. */
  started_at: string | null;
  finished_at: string | null;
  /** Last lines of the log after a bad exit, at most 2 KiB; else empty. */
  last_output: string;
  /** Of a guest that ended by itself and was started again: how often, and how it ended last. */
  restarts?: { count: number; exit_code: number; oom_killed: boolean; ended_at: string };
  /** Of one with a health check: `starting`, `healthy`, `unhealthy`. */
  health?: string;
  /** Of a spawn that had to bring the image to the node first. */
  image_fetch?: ImageFetch;
  /** Of a spawn with a `layer`. */
  layer?: MovedLayer;
}

/** What a server has written, on its way from node to node. */
export interface MovedLayer {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** The report of a server that has no container on the node. */
export function noGuest(server_id: string): GuestReport {
  return { server_id, container_id: null, power_state: 'nostate', exit_code: null, oom_killed: false, started_at: null, finished_at: null, last_output: '' };
}

export interface HostResources {
  hostname: string;
  vcpus: number;
  memory_mb: number;
  disk_gb: number;
  memory_used_mb: number;
  disk_used_gb: number;
  hypervisor_type: 'docker' | 'fake';
  /** Engine version as a number: 20.10.24 → 20010024. */
  hypervisor_version: number;
  cpu_info: { arch: string; model: string; vendor: string; features: string[]; topology: { cores: number; threads: number; sockets: number } };
  /** Names of the engine's runtimes besides runc's, as flavors name them. */
  runtimes?: string[];
  /** Whether a guest's root can be on a volume. */
  boots_volumes?: boolean;
  uptime_seconds: number;
  load_average: [number, number, number];
  host_ip: string;
}

/**
 * `network`: the server's cables as they have to be now. Without it the node keeps what is plugged, and after
 * a reboot of the host plugs what it last knew.
 */
export type PowerAction =
  | { action: 'start'; network?: NodeNetworkState }
  | { action: 'stop'; timeout_seconds: number }
  | { action: 'reboot'; hard: boolean; timeout_seconds: number; network?: NodeNetworkState }
  | { action: 'pause' }
  | { action: 'unpause' }
  /** Frozen, and its memory given back to the node as far as the kernel can. */
  | { action: 'suspend' }
  | { action: 'resume'; network?: NodeNetworkState };

export interface Unrescue {
  start: boolean;
  network?: NodeNetworkState;
}

export interface GuestDiagnostics {
  cpu_time_ns: number;
  memory_used_bytes: number;
  memory_maximum_bytes: number;
  pids: number;
  uptime_seconds: number;
  nics: { mac_address: string; rx_bytes: number; tx_bytes: number; rx_packets: number; tx_packets: number; rx_errors: number; tx_errors: number; rx_drop: number; tx_drop: number }[];
  disk_read_bytes: number;
  disk_write_bytes: number;
}

/** An image that a node has in its engine. */
export interface KeptImage {
  image_id: string;
  /** Bytes on the node; layers that other images have too count. */
  size: number;
  /** ISO instants, as far as the agent and the engine know; null: from before the agent began, and none since. */
  kept_since: string | null;
  last_used: string | null;
  /** Servers and prefetches that found it there since the agent began. */
  hits: number;
}

export type DropOutcome = 'removed' | 'absent' | 'in-use';

export interface ComputeDriver {
  /** Image there, cable plugged, container created and started. Asked twice, it adopts the first; see `incarnation` for making a guest anew. */
  spawn(spec: GuestSpec): Promise<GuestReport>;
  power(server_id: string, action: PowerAction): Promise<GuestReport>;
  /**
   * Stops a server's guest and runs another in its place, with its cables: `spec` is of the other one. What the server has written is there
   * below `/mnt/rescue`. Asked twice with one `incarnation`, it is done once.
   */
  rescue(spec: GuestSpec): Promise<GuestReport>;
  /** The other guest goes; the server's own is started again if told. Without another guest: only that. */
  unrescue(server_id: string, how: Unrescue): Promise<GuestReport>;
  /** Sends a signal (`SIGQUIT`) to the first process of a running guest. Fault 409 `compute.wrong-state`. */
  signal(server_id: string, signal: string): Promise<void>;
  /** Of users that a running guest has; of others nothing is set. Fault 409 `compute.password-failed` when it has none of them. */
  setPasswords(server_id: string, passwords: PasswordHash[]): Promise<void>;
  /** Other limits for a guest that stays, whether it runs or not. A smaller disk takes that it is off. */
  resize(server_id: string, limits: GuestLimits): Promise<GuestReport>;
  /** Sends what a guest that is off has written to this path of the controller. */
  sendLayer(server_id: string, path: string): Promise<MovedLayer>;
  /**
   * Hot, and again at every start. Asked twice, it is done once. Faults: 404 `compute.server-unknown`, 409 `compute.device-taken`, `compute.mount-failed`,
   * 501 `compute.volumes-unsupported`, `compute.attach-unsupported`, what the node's storage says.
   */
  attachVolume(server_id: string, volume: GuestVolume): Promise<AttachedVolume>;
  /** Nothing happens when the guest has no such volume. @param force also while it is in use, whose users are killed; else fault 409 `compute.device-busy`. */
  detachVolume(server_id: string, volume_id: string, force: boolean): Promise<void>;
  /** Its driver has made the volume larger: the guest sees it, and a file system that the node has mounted grows. */
  volumeExtended(server_id: string, volume_id: string): Promise<void>;
  /** Stop, remove, unplug. Unknown server: nothing happens. */
  destroy(server_id: string): Promise<void>;
  inspect(server_id: string): Promise<GuestReport | undefined>;
  /** Every guest of this cloud on this node, and only those. */
  list(): Promise<GuestReport[]>;
  /** Last `lines` of the console log (bounded to 1 MiB), or all of what the bound allows. */
  consoleOutput(server_id: string, lines: number | undefined): Promise<string>;
  /** Faults: 404 `compute.server-unknown`, 409 `compute.wrong-state`, 400 `compute.exec-failed`. */
  openConsole(server_id: string, request: ConsoleRequest): Promise<GuestConsole>;
  /** The network namespace in which to listen for ssh; undefined: the guest needs nobody to. */
  sshDoor?(server_id: string): Promise<string | undefined>;
  diagnostics(server_id: string): Promise<GuestDiagnostics>;
  resources(): Promise<HostResources>;
  /** Afterwards the image is on the node, and servers start of it without a fetch. */
  prefetch(image: ImageRef): Promise<ImageFetch>;
  /** Of this cloud. */
  keptImages(): Promise<KeptImage[]>;
  /** Takes an image off the node, unless a guest was made from it. */
  dropImage(image_id: string): Promise<DropOutcome>;
  /**
   * Reads the root file system out of a disk image and sends it to the controller. Asked twice at once, it is done once.
   * Faults: 400 `compute.disk-invalid`, 501 `compute.disk-tools-missing`, 507 `compute.disk-full`, 503 the controller is away.
   */
  convertDisk(asked: ConvertDisk, tell: (progress: ConvertProgress) => void): Promise<ConvertedDisk>;
  /**
   * Notes what a guest has changed since it was made, as a layer that stays on the node until it is dropped; a guest that runs stands
   * still meanwhile. Asked twice for one image, it is done once.
   * Faults: 404 no such guest, 409 it was dropped meanwhile, 501 `compute.capture-unsupported`, 507 `compute.disk-full`.
   */
  capture(server_id: string, image_id: string): Promise<BlobRef>;
  /** Sends a captured layer to the image service. Faults: 404 `compute.capture-gone`, 503. */
  sendCapture(image_id: string): Promise<BlobRef>;
  /** Ends a capture, or forgets what it has made. Unknown image: nothing happens. */
  dropCapture(image_id: string): Promise<void>;
  /** Calls back on every change of power state seen on the engine (exit, OOM, pause …). */
  onChange(listener: (report: GuestReport) => void): void;
  close(): Promise<void>;
}

/** Faults that cross the wire keep their code: `{ code, message }` of kernel/fault. */
export const computeMethods = {
  spawn: 'compute.spawn',
  power: 'compute.power',
  rescue: 'compute.rescue',
  unrescue: 'compute.unrescue',
  signal: 'compute.signal',
  setPasswords: 'compute.set-passwords',
  resize: 'compute.resize',
  sendLayer: 'compute.send-layer',
  attachVolume: 'compute.attach-volume',
  detachVolume: 'compute.detach-volume',
  volumeExtended: 'compute.volume-extended',
  destroy: 'compute.destroy',
  inspect: 'compute.inspect',
  list: 'compute.list',
  console: 'compute.console',
  openConsole: 'compute.open-console',
  /** node → controller: somebody speaks ssh to a server. `{ server_id, remote_address }` → `{ stream_id }` */
  sshKnock: 'compute.ssh-knock',
  diagnostics: 'compute.diagnostics',
  resources: 'compute.resources',
  prefetch: 'compute.prefetch',
  keptImages: 'compute.kept-images',
  dropImage: 'compute.drop-image',
  convertDisk: 'compute.convert-disk',
  capture: 'compute.capture',
  sendCapture: 'compute.send-capture',
  dropCapture: 'compute.drop-capture',
  /** node → controller, an event: `ConvertProgress`. */
  convertProgress: 'compute.convert-progress',
  /** node → controller: `MetadataRequest` → `MetadataReply`. */
  metadata: 'compute.metadata',
  /** node → controller, an event. */
  changed: 'compute.changed',
} as const;
