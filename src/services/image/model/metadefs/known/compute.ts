/** What flavors, host aggregates and images say to the scheduler and to the node. */
import { define, type Definition, integer, number, object, onAggregates, onFlavors, choice } from './define.ts';

const cpu = {
  'quota:cpu_shares': integer('CPU shares', 'Weight of the server when the processors of its host are all busy.'),
  'quota:cpu_period': integer('CPU period', 'Length of one accounting period in microseconds.', { minimum: 1000, maximum: 1_000_000 }),
  'quota:cpu_quota': integer('CPU quota', 'Processor time in microseconds that the server may use in one period.'),
};

function diskLimit(words: string, unit: string) {
  return integer(`Disk: ${words}`, `Most ${unit} that the server may have the disk do in a second.`);
}

const disk = {
  'quota:disk_read_bytes_sec': diskLimit('bytes read', 'bytes read'),
  'quota:disk_read_iops_sec': diskLimit('reads', 'read operations'),
  'quota:disk_write_bytes_sec': diskLimit('bytes written', 'bytes written'),
  'quota:disk_write_iops_sec': diskLimit('writes', 'write operations'),
  'quota:disk_total_bytes_sec': diskLimit('bytes in all', 'bytes read and written together'),
  'quota:disk_total_iops_sec': diskLimit('operations in all', 'reads and writes together'),
};

function rates(direction: 'inbound' | 'outbound') {
  return {
    [`quota:vif_${direction}_average`]: integer(`Interface: ${direction} average`, `Kilobytes a second that may go ${direction} in the long run.`),
    [`quota:vif_${direction}_burst`]: integer(`Interface: ${direction} burst`, `Kilobytes that may go ${direction} at once at the peak rate.`),
    [`quota:vif_${direction}_peak`]: integer(`Interface: ${direction} peak`, `Most kilobytes a second that ever go ${direction}.`),
  };
}

export const computeDefinitions: Definition[] = [
  define('OS::Compute::Quota', 'Flavor quota', 'Limits beyond memory and number of processors, set on a flavor.', {
    resource_type_associations: onFlavors,
    objects: [
      object('CPU Limits', 'Shares of the processors.', cpu),
      object('Disk QoS', 'Rates of the disk.', disk),
      object('Virtual Interface QoS', 'Rates of the network interface.', { ...rates('inbound'), ...rates('outbound') }),
    ],
  }),
  define('OS::Compute::AggregateDiskFilter', 'Disk allocation per host', 'How far the disk of the hosts in an aggregate may be promised more than once.', {
    resource_type_associations: onAggregates,
    properties: { disk_allocation_ratio: number('Disk allocation ratio', 'Disk that may be promised for each unit of real disk; 1.0 promises what is there.', { readonly: false }) },
  }),
  define('OS::Compute::AggregateIoOpsFilter', 'I/O operations per host', 'How many heavy operations a host of an aggregate takes on at once.', {
    resource_type_associations: onAggregates,
    properties: { max_io_ops_per_host: integer('Most I/O operations', 'Servers being built, resized, rescued, migrated or saved on one host at the same time.', { readonly: false, default: 8, minimum: 1 }) },
  }),
  define('OS::Compute::AggregateNumInstancesFilter', 'Servers per host', 'How many servers a host of an aggregate holds.', {
    resource_type_associations: onAggregates, protected: false,
    properties: { max_instances_per_host: integer('Most servers', 'Servers on one host of the aggregate.', { readonly: false, minimum: 0 }) },
  }),
  define('OS::Compute::Hypervisor', 'Hypervisor selection', 'What kind of host an image needs.', {
    resource_type_associations: [{ name: 'OS::Glance::Image' }],
    properties: {
      hypervisor_type: choice('Hypervisor type', 'The technology that runs the server.', 'baremetal', 'docker', 'hyperv', 'kvm', 'lxc', 'powervm', 'qemu', 'uml', 'vmware', 'vz', 'xen'),
      vm_mode: choice('Mode', 'The interface that the guest is made for; "exe" is a process rather than a machine.', 'hvm', 'xen', 'uml', 'exe'),
    },
  }),
  define('OS::Cinder::Volumetype', 'Volume type of an image', 'Where a volume that is made from the image goes.', {
    resource_type_associations: [{ name: 'OS::Glance::Image', prefix: 'cinder_' }],
    properties: { img_volume_type: { title: 'Volume type', type: 'string', description: 'Name of the volume type.' } },
  }),
];
