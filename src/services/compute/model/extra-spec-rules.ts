/** What the extra specs that nova knows may hold (facts of nova's `api/validation/extra_specs`). */
import { booleanFrom } from '../../../kernel/api/schema.ts';
import { badRequest, type Fault } from '../../../kernel/fault.ts';

type Value =
  | { type: 'text' }
  | { type: 'boolean' }
  | { type: 'integer'; min?: number; max?: number }
  | { type: 'enum'; values: readonly string[] }
  | { type: 'pattern'; pattern: RegExp };

const text: Value = { type: 'text' };
const boolean: Value = { type: 'boolean' };
const integer: Value = { type: 'integer' };
const atLeast = (min: number, max?: number): Value => (max === undefined ? { type: 'integer', min } : { type: 'integer', min, max });
const among = (...values: string[]): Value => ({ type: 'enum', values });
const like = (pattern: RegExp): Value => ({ type: 'pattern', pattern });

const CPU_MAP = /^\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*$/;

const hardware: Record<string, Value> = {
  'hw:cpu_realtime': boolean,
  'hw:cpu_realtime_mask': like(CPU_MAP),
  'hw:hide_hypervisor_id': boolean,
  'hw:cpu_policy': among('dedicated', 'shared', 'mixed'),
  'hw:cpu_thread_policy': among('prefer', 'isolate', 'require'),
  'hw:emulator_threads_policy': among('isolate', 'share'),
  'hw:cpu_dedicated_mask': like(CPU_MAP),
  'hw:mem_page_size': like(/^(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)$/),
  'hw:locked_memory': boolean,
  'hw:numa_nodes': atLeast(1),
  'hw:pci_numa_affinity_policy': among('required', 'preferred', 'legacy', 'socket'),
  'hw:cpu_sockets': atLeast(1),
  'hw:cpu_cores': atLeast(1),
  'hw:cpu_threads': atLeast(1),
  'hw:cpu_max_sockets': atLeast(1),
  'hw:cpu_max_cores': atLeast(1),
  'hw:cpu_max_threads': atLeast(1),
  'hw:boot_menu': boolean,
  'hw:vif_multiqueue_enabled': boolean,
  'hw:mem_encryption': boolean,
  'hw:mem_encryption_model': among('amd-sev', 'amd-sev-es', 'amd-sev-snp'),
  'hw:pmem': like(/^([a-zA-Z0-9_]+,?)+$/),
  'hw:pmu': boolean,
  'hw:serial_port_count': atLeast(0),
  'hw:tpm_model': among('tpm-tis', 'tpm-crb'),
  'hw:tpm_version': among('1.2', '2.0'),
  'hw:tpm_secret_security': among('user', 'host', 'deployment'),
  'hw:watchdog_action': among('none', 'pause', 'poweroff', 'reset', 'disabled'),
  'hw:viommu_model': among('intel', 'smmuv3', 'virtio', 'auto'),
  'hw:virtio_packed_ring': boolean,
  'hw:sound_model': among('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio'),
  'hw:usb_model': among('none', 'nec-xhci', 'qemu-xhci'),
  'hw:redirected_usb_ports': atLeast(0, 15),
  'hw:ephemeral_encryption': boolean,
  'hw:ephemeral_encryption_format': among('plain', 'luks', 'luksv2'),
  'hw_rng:allowed': boolean,
  'hw_rng:rate_bytes': atLeast(0),
  'hw_rng:rate_period': atLeast(0),
  'hw_video:ram_max_mb': atLeast(0),
};

const others: Record<string, Value> = {
  'accel:device_profile': text,
  'os:secure_boot': among('disabled', 'required'),
  hide_hypervisor_id: boolean,
  group_policy: among('isolate', 'none'),
  'pci_passthrough:alias': like(/^[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*$/),
  'vmware:hw_version': text,
  'vmware:storage_policy': text,
};

function quotas(): Record<string, Value> {
  const out: Record<string, Value> = { 'quota:cpu_shares': atLeast(0), 'quota:cpu_period': atLeast(0), 'quota:cpu_quota': integer };
  for (const key of ['cpu', 'memory', 'disk_io', 'vif']) {
    out[`quota:${key}_limit`] = atLeast(0);
    out[`quota:${key}_reservation`] = integer;
    out[`quota:${key}_shares_level`] = among('custom', 'high', 'normal', 'low');
    out[`quota:${key}_shares_share`] = atLeast(0);
  }
  for (const stat of ['read', 'write', 'total']) {
    for (const metric of ['bytes', 'iops']) out[`quota:disk_${stat}_${metric}_sec`] = atLeast(0);
  }
  for (const stat of ['inbound', 'outbound']) {
    for (const metric of ['average', 'peak', 'burst']) out[`quota:vif_${stat}_${metric}`] = atLeast(0);
  }
  return out;
}

const CAPABILITIES = [
  'id', 'uuid', 'service_id', 'host', 'vcpus', 'memory_mb', 'local_gb', 'vcpus_used', 'memory_mb_used', 'local_gb_used', 'hypervisor_type',
  'hypervisor_version', 'hypervisor_hostname', 'free_ram_mb', 'free_disk_gb', 'current_workload', 'running_vms', 'disk_available_least', 'host_ip',
  'mapped', 'cpu_allocation_ratio', 'ram_allocation_ratio', 'disk_allocation_ratio', 'total_usable_ram_mb', 'total_usable_disk_gb', 'disk_mb_used',
  'free_disk_mb', 'vcpus_total', 'num_instances', 'num_io_ops', 'failed_builds', 'aggregates', 'cell_uuid', 'updated',
];
const CAPABILITY_TREES =
  /^capabilities:(cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|supported_instances|limits|instances)(:\w+)*$/;

const RESOURCE_CLASSES =
  'VCPU|MEMORY_MB|DISK_GB|PCI_DEVICE|SRIOV_NET_VF|NUMA_SOCKET|NUMA_CORE|NUMA_THREAD|NUMA_MEMORY_MB|IPV4_ADDRESS|VGPU|VGPU_DISPLAY_HEAD|' +
  'NET_BW_EGR_KILOBIT_PER_SEC|NET_BW_IGR_KILOBIT_PER_SEC|PCPU|MEM_ENCRYPTION_CONTEXT|FPGA|PGPU|NET_PACKET_RATE_KILOPACKET_PER_SEC|' +
  'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC|NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC|CUSTOM_[A-Z0-9_]+';

const named = new Map<string, Value>([
  ...Object.entries({ ...hardware, ...others, ...quotas() }),
  ...CAPABILITIES.map((name): [string, Value] => [`capabilities:${name}`, text]),
]);

const patterned: [RegExp, Value][] = [
  [/^hw:numa_cpus\.\d+$/, like(CPU_MAP)],
  [/^hw:numa_mem\.\d+$/, atLeast(1)],
  [/^aggregate_instance_extra_specs:.+$/, text],
  [CAPABILITY_TREES, text],
  [new RegExp(`^resources([a-zA-Z0-9_-]{1,64})?:(${RESOURCE_CLASSES})$`), integer],
  // The names of os-traits by family: the list itself grows with every release.
  [/^trait([a-zA-Z0-9_-]{1,64})?:(COMPUTE|HW|STORAGE|MISC|OWNER|CUSTOM)_[A-Z0-9_]+$/, among('required', 'forbidden')],
];

const NAMESPACES = /^(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|vmware|(resources|trait)([a-zA-Z0-9_-]{1,64})?)$/;

/** Specs of other namespaces (`docker:pids`), and those without one, are nobody's business but the operator's. */
function ruleFor(name: string): Value | undefined {
  return named.get(name) ?? patterned.find(([pattern]) => pattern.test(name))?.[1];
}

/** @returns what is wrong with an extra spec from 2.86 on, or undefined. Pure. */
export function extraSpecProblem(name: string, value: string): Fault | undefined {
  const rule = ruleFor(name);
  if (rule !== undefined) {
    const problem = valueProblem(rule, value);
    return problem === undefined ? undefined : refused(problem);
  }
  const known = name.includes(':') && NAMESPACES.test(name.slice(0, name.indexOf(':')));
  return known ? refused(`extra spec '${name}' does not appear to be a valid extra spec.`) : undefined;
}

const refused = (problem: string): Fault => badRequest('compute.extra-spec-invalid', `Validation failed; ${problem}`);

function valueProblem(rule: Value, value: string): string | undefined {
  switch (rule.type) {
    case 'text':
      return undefined;
    case 'boolean':
      return booleanFrom(value) === undefined ? `'${value}' is not a valid boolean-like value.` : undefined;
    case 'enum':
      return rule.values.includes(value) ? undefined : `'${value}' is not one of: ${rule.values.join(', ')}.`;
    case 'pattern':
      return rule.pattern.test(value) ? undefined : `'${value}' is not of the format '${rule.pattern.source}'.`;
    case 'integer':
      return integerProblem(rule, value);
  }
}

function integerProblem(rule: { min?: number; max?: number }, value: string): string | undefined {
  if (!/^\s*[+-]?\d+\s*$/.test(value)) return `'${value}' is not a valid integer value.`;
  const number = Number(value);
  if (rule.max !== undefined && number > rule.max) return `'${value}' is greater than the max value of '${rule.max}'.`;
  return rule.min !== undefined && number < rule.min ? `'${value}' is less than the min value of '${rule.min}'.` : undefined;
}
