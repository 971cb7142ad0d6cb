import { hostname } from 'node:os';
import { Type } from 'typebox';
import type { Static, TObject } from 'typebox';

/** A section of the file: every key has a default, so that an empty file is a valid one. */
export type Section = TObject;
export type Sections = Record<string, Section>;

const closed = { additionalProperties: false } as const;

const CIDR = '^(\\d{1,3}\\.){3}\\d{1,3}/(8|9|1\\d|2[0-8])$';

export const CloudSection = Type.Object({
  name: Type.String({
    default: 'gantry',
    pattern: '^[a-z][a-z0-9]{0,5}$',
    description: 'Name of this cloud on its hosts, 1 to 6 lower-case letters and digits: prefix of namespaces and links, label of containers.',
  }),
  data_dir: Type.String({ default: '', description: 'Where everything is kept. Default: the folder of the configuration file.' }),
  public_subnet: Type.String({ default: '10.10.1.0/24', pattern: CIDR, description: 'Addresses of the ready-made network public; the host has the first. Read when the cloud is made.' }),
  private_subnet: Type.String({ default: '172.16.0.0/24', pattern: CIDR, description: 'Addresses of the ready-made network private of project demo. Read when the cloud is made.' }),
  region: Type.String({ default: 'RegionOne', minLength: 1, description: 'Region of all endpoints in the catalogue.' }),
}, closed);

export const ControllerSection = Type.Object({
  uid: Type.Integer({ default: 64055, minimum: 0, description: 'Numeric user that the controller becomes when root starts it.' }),
  gid: Type.Integer({ default: 64055, minimum: 0, description: 'Numeric group that the controller becomes when root starts it.' }),
  admin_password_file: Type.String({ default: '', description: 'File with the first password of user admin. Default: <data_dir>/secrets/admin-password.' }),
}, closed);

export const ApiSection = Type.Object({
  host: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address that the one API port listens on.' }),
  port: Type.Integer({ default: 5000, minimum: 0, maximum: 65535, description: 'The one API port; 0 takes a free one.' }),
  public_url: Type.String({ default: '', pattern: '^(https?://[^/]+.*)?$', description: 'What clients reach the port by, as in the catalogue. Default: the host that each caller used.' }),
  trusted_proxies: Type.Array(Type.String({ pattern: '^[0-9a-fA-F:.]+(/\\d{1,3})?$' }), { default: ['127.0.0.0/8', '::1'], description: 'Addresses and networks of proxies that may say by X-Forwarded-* how callers reach the port.' }),
  policy_file: Type.String({ default: '', description: 'YAML or JSON file with policy rules that replace the built-in ones. Default: <data_dir>/policy.yaml, if it is there.' }),
}, closed);

export const DatabaseSection = Type.Object({
  url: Type.String({ default: '', pattern: '^((sqlite:|postgres(ql)?://).*)?$', description: 'sqlite:/path/to/file or postgres://user:password@host/name. Default: a SQLite file in data_dir.' }),
}, closed);

export const AgentSection = Type.Object({
  hostname: Type.String({ default: hostname(), pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$', description: 'Name of this node in the cloud.' }),
  roles: Type.Array(Type.Union([Type.Literal('compute'), Type.Literal('network'), Type.Literal('volume')]), { default: ['compute', 'network', 'volume'], uniqueItems: true, description: 'What this node does.' }),
  volume_driver: Type.Union([Type.Literal('file'), Type.Literal('fake')], { default: 'file', description: 'What holds the volumes of a node with the role volume; file: sparse files; fake: memory, for tests.' }),
  volume_dir: Type.String({ default: '', description: 'Holds the volumes of the driver file; empty: volumes, below the state directory.' }),
  compute_driver: Type.Union([Type.Literal('docker'), Type.Literal('fake')], { default: 'docker', description: 'What runs the servers.' }),
  network_driver: Type.Union([Type.Literal('linux'), Type.Literal('fake')], { default: 'linux', description: 'What wires the networks.' }),
  docker_socket: Type.String({ default: '/var/run/docker.sock', minLength: 1, description: "The engine's socket." }),
  disk_limit: Type.Union([Type.Literal('auto'), Type.Literal('off')], { default: 'off', description: "Whether a server may write no more than its flavor's disk: auto, where the engine's storage driver is overlay2, or off. It makes a start slower." }),
  runtime: Type.String({ default: 'gantry', minLength: 1, description: "Name of Gantry's runtime as registered with the engine." }),
  controller_url: Type.String({ default: '', pattern: '^(wss?://.*)?$', description: 'WebSocket of a controller. Default: the API port of this file.' }),
  join_token_file: Type.String({ default: '', description: 'File with the join token. Default: <data_dir>/secrets/join-token.' }),
  state_dir: Type.String({ default: '', description: "The agent's own files. Default: <data_dir>/agent." }),
  tunnel_ip: Type.String({ default: '', description: 'Address that other nodes reach this one by for VXLAN. Default: none, one node only.' }),
}, closed);

export const LogSection = Type.Object({
  level: Type.Union(['debug', 'info', 'warn', 'error'].map((level) => Type.Literal(level as 'debug' | 'info' | 'warn' | 'error')), { default: 'info', description: 'The least severe record that is written.' }),
}, closed);

/** What every Gantry process reads; services add a section each. */
export const coreSections = {
  cloud: CloudSection,
  controller: ControllerSection,
  api: ApiSection,
  database: DatabaseSection,
  agent: AgentSection,
  log: LogSection,
} as const satisfies Sections;

export type CoreSections = typeof coreSections;

/** The configuration with all defaults filled in; `S` are the services' sections. */
export type Config<S extends Sections = {}> = { [K in keyof CoreSections]: Static<CoreSections[K]> } & { [K in keyof S]: Static<S[K]> };
