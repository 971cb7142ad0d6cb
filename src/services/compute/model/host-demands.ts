/** What a flavor and an image ask of a host beside room, and what an operator keeps hosts for (nova/scheduler/filters). Pure. */
import { BlockList, isIPv4 } from 'node:net';
import type { HostResources } from '../../../agents/compute/protocol.ts';
import { booleanFrom } from '../../../kernel/api/schema.ts';
import type { Resources } from '../../placement/client.ts';

export interface HostFacts {
  /** Metadata of the aggregates that it is in. */
  aggregates: readonly Readonly<Record<string, string>>[];
  traits: readonly string[];
  /** Null: not known. */
  resources: HostResources | null;
}

export interface Demands {
  project_id: string;
  extra_specs: Readonly<Record<string, string>>;
  image_properties: Readonly<Record<string, unknown>>;
  /** The hints `build_near_host_ip` and `cidr`. */
  near: { ip: string; prefix: number } | undefined;
}

const RESOURCE = /^resources([a-zA-Z0-9_-]{0,64}):(.+)$/;
const TRAIT = /^trait[a-zA-Z0-9_-]{0,64}:(.+)$/;

/** `resources:CLASS` replaces what a flavor's own numbers say, `resources1:CLASS` adds to it; 0 asks for none of it. */
export function withOwnResources(own: Resources, extra_specs: Readonly<Record<string, string>>): Resources {
  const out = { ...own };
  const added = Object.entries(extra_specs).flatMap(([key, value]) => {
    const [, group, name] = RESOURCE.exec(key) ?? [];
    const amount = Number(value);
    return name === undefined || !Number.isInteger(amount) || amount < 0 ? [] : [{ group: group!, name, amount }];
  });
  for (const { name, amount } of added.filter(({ group }) => group === '')) out[name] = amount;
  for (const { name, amount } of added.filter(({ group }) => group !== '')) out[name] = (out[name] ?? 0) + amount;
  return Object.fromEntries(Object.entries(out).filter(([, amount]) => amount > 0));
}

/** Image properties that a scheduler looks at, and those that an aggregate may be kept for. */
export function schedulingProperties(properties: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).flatMap(([key, value]) => (typeof value === 'string' && value.length <= 255 ? [[key, value]] : [])));
}

/** Whether hosts have to be looked at more closely than usual. */
export const asksMore = ({ extra_specs, near }: Demands): boolean => near !== undefined || Object.keys(extra_specs).some((key) => key.startsWith('capabilities:'));

/** Why a server must not go to a host; undefined: it may. */
export function demandObjection(host: HostFacts, demands: Demands): string | undefined {
  return hardwareObjection(demands) ?? traitObjection(host, demands) ?? tenantObjection(host, demands) ?? aggregateObjection(host, demands) ?? imageObjection(host, demands) ?? capabilityObjection(host, demands) ?? distanceObjection(host, demands);
}

/** Parts of a machine that no host can give a container, by flavor extra spec and by image property. */
const HARDWARE: readonly { spec: string; property: string; what: string; asked: (value: string) => boolean }[] = [
  { spec: 'hw:firmware_type', property: 'hw_firmware_type', what: 'UEFI firmware', asked: (value) => value === 'uefi' },
  { spec: 'hw:firmware_stateless', property: 'hw_firmware_stateless', what: 'stateless firmware', asked: isYes },
  { spec: 'os:secure_boot', property: 'os_secure_boot', what: 'secure boot', asked: (value) => value === 'required' },
  { spec: 'hw:mem_encryption', property: 'hw_mem_encryption', what: 'encrypted memory', asked: isYes },
  { spec: 'hw:tpm_version', property: 'hw_tpm_version', what: 'a trusted platform module', asked: () => true },
];

function isYes(value: string): boolean {
  return booleanFrom(value) === true;
}

function hardwareObjection({ extra_specs, image_properties }: Demands): string | undefined {
  const found = HARDWARE.find(({ spec, property, asked }) => [extra_specs[spec], image_properties[property]].some((value) => typeof value === 'string' && asked(value)));
  return found === undefined ? undefined : `containers have no ${found.what.replace(/^a /, '')} (${found.spec}, ${found.property})`;
}

function traitsAsked({ extra_specs, image_properties }: Demands, kind: 'required' | 'forbidden'): Set<string> {
  const all = [...Object.entries(extra_specs), ...(kind === 'required' ? Object.entries(image_properties) : [])];
  return new Set(all.flatMap(([key, value]) => (value === kind ? (TRAIT.exec(key)?.[1] ?? []) : [])));
}

function traitObjection({ traits, aggregates }: HostFacts, demands: Demands): string | undefined {
  const required = traitsAsked(demands, 'required');
  const missing = [...required].find((trait) => !traits.includes(trait));
  if (missing !== undefined) return `lacks the trait ${missing}`;
  const unwanted = [...traitsAsked(demands, 'forbidden')].find((trait) => traits.includes(trait));
  if (unwanted !== undefined) return `has the forbidden trait ${unwanted}`;
  // An aggregate with trait:X=required is for servers that require X.
  const kept = aggregates.flatMap((metadata) => Object.entries(metadata)).find(([key, value]) => value === 'required' && key.startsWith('trait:') && !required.has(key.slice('trait:'.length)));
  return kept === undefined ? undefined : `its aggregate is kept for servers that require ${kept[0].slice('trait:'.length)}`;
}

/** `filter_tenant_id`, also with something after it, keeps an aggregate for projects. */
function tenantObjection({ aggregates }: HostFacts, { project_id }: Demands): string | undefined {
  const projects = aggregates.flatMap((metadata) => Object.entries(metadata)).flatMap(([key, value]) => (key.startsWith('filter_tenant_id') ? listed(value) : []));
  return projects.length === 0 || projects.includes(project_id) ? undefined : 'its aggregate is kept for other projects';
}

const listed = (text: string): string[] => text.split(',').map((part) => part.trim());

const SCOPE = 'aggregate_instance_extra_specs:';

function aggregateObjection({ aggregates }: HostFacts, { extra_specs }: Demands): string | undefined {
  for (const [key, wanted] of Object.entries(extra_specs)) {
    if (!key.startsWith(SCOPE)) continue;
    const name = key.slice(SCOPE.length);
    const values = aggregates.flatMap((metadata) => (metadata[name] === undefined ? [] : listed(metadata[name])));
    if (!values.some((value) => matchesSpec(value, wanted))) return `no aggregate of it has ${name} ${wanted}`;
  }
  return undefined;
}

/** An aggregate whose metadata names an image property is kept for images whose property is one of its values. */
function imageObjection({ aggregates, resources }: HostFacts, { image_properties }: Demands): string | undefined {
  for (const [key, value] of aggregates.flatMap((metadata) => Object.entries(metadata))) {
    const own = image_properties[key];
    if (typeof own === 'string' && !listed(value).includes(own)) return `its aggregate is kept for images with ${key} ${value}`;
  }
  const wanted = image_properties['hw_architecture'] ?? image_properties['architecture'];
  const arch = resources?.cpu_info.arch;
  if (typeof wanted === 'string' && arch !== undefined && alike(wanted) !== alike(arch)) return `its architecture is ${arch}, not ${wanted}`;
  return undefined;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x86_64', x64: 'x86_64', arm64: 'aarch64' };
const alike = (arch: string): string => ARCHITECTURES[arch.toLowerCase()] ?? arch.toLowerCase();

function capabilityObjection({ resources }: HostFacts, { extra_specs }: Demands): string | undefined {
  for (const [key, wanted] of Object.entries(extra_specs)) {
    if (!key.startsWith('capabilities:')) continue;
    const name = key.slice('capabilities:'.length);
    const value = resources === null ? undefined : capabilityOf(resources, name);
    if (value === undefined || !matchesSpec(String(value), wanted)) return `its capability ${name} is ${String(value ?? 'not known')}, not ${wanted}`;
  }
  return undefined;
}

function capabilityOf(resources: HostResources, name: string): unknown {
  const { hostname, disk_gb, ...known } = resources;
  const tree: Record<string, unknown> = { ...known, hypervisor_hostname: hostname, host: hostname, local_gb: disk_gb };
  return name.split(':').reduce<unknown>((at, part) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined), tree);
}

function distanceObjection({ resources }: HostFacts, { near }: Demands): string | undefined {
  if (near === undefined) return undefined;
  const family = isIPv4(near.ip) ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(near.ip, near.prefix, family);
  const ip = resources?.host_ip ?? '';
  return ip !== '' && isIPv4(ip) === (family === 'ipv4') && list.check(ip, family) ? undefined : `${ip} is not within ${near.ip}/${near.prefix}`;
}

const NUMBERS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a >= b, '==': (a, b) => a === b, '!=': (a, b) => a !== b, '>=': (a, b) => a >= b, '<=': (a, b) => a <= b,
};
const TEXTS: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  's==': (a, b) => a === b, 's!=': (a, b) => a !== b, 's<': (a, b) => a < b, 's<=': (a, b) => a <= b, 's>': (a, b) => a > b, 's>=': (a, b) => a >= b,
};

/** Nova's operators in the values of extra specs: `>= 4`, `s== x`, `<in> x`, `<all-in> x y`, `<or> a <or> b`; without one both are the same text. */
export function matchesSpec(value: string, wanted: string): boolean {
  const words = wanted.trim().split(/\s+/);
  const [operator = '', ...rest] = words;
  const operand = rest.join(' ');
  if (operator === '<or>') return wanted.split('<or>').map((part) => part.trim()).filter((part) => part !== '').includes(value);
  if (operator === '<in>') return value.includes(operand);
  if (operator === '<all-in>') return rest.every((part) => value.includes(part));
  if (operand !== '' && TEXTS[operator] !== undefined) return TEXTS[operator](value, operand);
  if (operand !== '' && NUMBERS[operator] !== undefined) return NUMBERS[operator](Number(value), Number(operand));
  return value === wanted;
}
