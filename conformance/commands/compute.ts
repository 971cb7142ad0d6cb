/**
 * Every command of compute once, in an order in which each has what it needs. The cloud has an active image of
 * containers, an external network, two nodes, and keeps deleted servers for a while ([compute] reclaim_instance_interval).
 */
import { helper, type Scene, step, type Step } from './step.ts';

const none = (): string[] => [];
const named = (what: string) => (run: Scene): string[] => [run.name(what)];
const id = (what: string) => (run: Scene): string[] => [run.saved(what)];
const at = (version: string) => ({ env: () => ({ OS_COMPUTE_API_VERSION: version }) });

const server = named('server');
const becomes = (status: string, what = 'server'): Step => helper('server show', named(what), { until: { status } });
/** Does it, and waits for what comes of it. */
const does = (command: string, status: string, args: (run: Scene) => string[] = server): Step[] => [step(command, args), becomes(status)];

const places: Step[] = [
  helper('image list', () => ['--status', 'active', '--property', 'container_format=docker'], { save: { image: 'ID' } }),
  helper('network create', named('network'), { save: { network: 'id' } }),
  helper('subnet create', (run) => ['--network', run.name('network'), '--subnet-range', '10.123.0.0/24', run.name('subnet')]),
  helper('network create', named('second'), { save: { second: 'id' } }),
  helper('subnet create', (run) => ['--network', run.name('second'), '--subnet-range', '10.124.0.0/24', run.name('second')]),
  helper('router create', named('router')),
  helper('router add subnet', (run) => [run.name('router'), run.name('subnet')]),
  helper('network list', () => ['--external'], { save: { external: 'ID' } }),
  helper('router set', (run) => ['--external-gateway', run.saved('external'), run.name('router')]),
  helper('floating ip create', id('external'), { save: { floating: 'floating_ip_address' } }),
  helper('port create', (run) => ['--network', run.name('network'), run.name('port')]),
  helper('security group create', named('group')),
];

const shapes: Step[] = [
  step('flavor create', (run) => ['--ram', '64', '--disk', '1', '--vcpus', '1', run.name('flavor')]),
  helper('flavor create', (run) => ['--ram', '128', '--disk', '1', '--vcpus', '1', run.name('large')]),
  step('flavor list', none),
  step('flavor show', named('flavor')),
  step('flavor set', (run) => ['--property', 'quota:cpu_shares=2048', run.name('flavor')]),
  step('flavor unset', (run) => ['--property', 'quota:cpu_shares', run.name('flavor')]),
  step('keypair create', (run) => ['--private-key', run.path('key'), run.name('key')]),
  step('keypair list', none),
  step('keypair show', named('key')),
  step('server group create', (run) => ['--policy', 'affinity', run.name('servers')], { save: { servers: 'id' } }),
  step('server group list', none),
  step('server group show', named('servers')),
];

const create = (what: string, ...more: string[]) => (run: Scene): string[] => [
  '--flavor', run.name('flavor'), '--image', run.saved('image'), '--network', run.saved('network'), '--wait', ...more, run.name(what),
];

const reading: Step[] = [
  step('server create', (run) => ['--key-name', run.name('key'), ...create('server')(run)]),
  step('server list', none),
  step('server show', server),
  step('server set', (run) => ['--property', 'colour=blue', run.name('server')]),
  step('server unset', (run) => ['--property', 'colour', run.name('server')]),
  step('server event list', server, { save: { request: 'Request ID' } }),
  step('server event show', (run) => [run.name('server'), run.saved('request')]),
  step('console log show', server),
  step('console url show', (run) => ['--serial', run.name('server')]),
  step('console connection show', id('console')),
  step('server ssh', (run) => ['--private', '--login', 'root', run.name('server'), '--', '-o', 'ConnectTimeout=1', '-o', 'BatchMode=yes', 'true']),
  step('usage list', none),
  step('usage show', none),
];

const nics: Step[] = [
  step('server add security group', (run) => [run.name('server'), run.name('group')]),
  step('server remove security group', (run) => [run.name('server'), run.name('group')]),
  step('server add floating ip', (run) => [run.name('server'), run.saved('floating')]),
  step('server remove floating ip', (run) => [run.name('server'), run.saved('floating')]),
  step('server add port', (run) => [run.name('server'), run.name('port')]),
  step('server remove port', (run) => [run.name('server'), run.name('port')]),
  step('server add network', (run) => [run.name('server'), run.name('second')]),
  step('server remove network', (run) => [run.name('server'), run.name('second')]),
  step('server add fixed ip', (run) => ['--fixed-ip-address', '10.123.0.77', run.name('server'), run.name('network')]),
  step('server remove fixed ip', (run) => [run.name('server'), '10.123.0.77']),
];

const power: Step[] = [
  step('server lock', server),
  step('server unlock', server),
  ...does('server pause', 'PAUSED'),
  ...does('server unpause', 'ACTIVE'),
  ...does('server suspend', 'SUSPENDED'),
  ...does('server resume', 'ACTIVE'),
  ...does('server stop', 'SHUTOFF'),
  ...does('server start', 'ACTIVE'),
  step('server reboot', (run) => ['--wait', run.name('server')]),
  ...does('server rescue', 'RESCUE'),
  ...does('server unrescue', 'ACTIVE'),
  ...does('server shelve', 'SHELVED_OFFLOADED'),
  ...does('server unshelve', 'ACTIVE'),
  step('server dump create', server, at('2.17')),
  step('server image create', (run) => ['--name', run.name('snapshot'), '--wait', run.name('server')]),
  step('server backup create', (run) => ['--name', run.name('backup'), '--type', 'daily', '--rotate', '1', '--wait', run.name('server')]),
  helper('image delete', (run) => [run.name('snapshot'), run.name('backup')]),
  step('server rebuild', (run) => ['--wait', run.name('server')]),
  becomes('ACTIVE'),
];

const back = helper('server resize', (run) => ['--flavor', run.name('flavor'), '--wait', run.name('server')]);
const move: Step[] = [helper('server migrate', (run) => ['--wait', run.name('server')])];
const NO_LIVE_MOVE = { error: /not supported|HTTP 4\d\d|No .*[Mm]igration|could not be found|not found for server/, why: 'the cloud says why there is nothing to act on' };

const sizes: Step[] = [
  step('server resize', (run) => ['--flavor', run.name('large'), '--wait', run.name('server')]),
  ...does('server resize confirm', 'ACTIVE'),
  back,
  ...does('server resize revert', 'ACTIVE'),
  step('server migrate', (run) => ['--wait', run.name('server')]),
  ...does('server migrate confirm', 'ACTIVE'),
  ...move,
  ...does('server migrate revert', 'ACTIVE'),
  ...move,
  ...does('server migration confirm', 'ACTIVE'),
  ...move,
  ...does('server migration revert', 'ACTIVE'),
  step('server migration list', (run) => ['--server', run.name('server')], { save: { migration: 'Id' }, ...at('2.59') }),
  step('server migration show', (run) => [run.name('server'), run.saved('migration')], { refusal: NO_LIVE_MOVE, ...at('2.59') }),
  step('server migration abort', (run) => [run.name('server'), run.saved('migration')], { refusal: NO_LIVE_MOVE, ...at('2.59') }),
  step('server migration force complete', (run) => [run.name('server'), run.saved('migration')], { refusal: NO_LIVE_MOVE, ...at('2.59') }),
  helper('compute service list', () => ['--service', 'nova-compute'], { save: { host: 'Host', service: 'ID' }, ...at('2.53') }),
];

const storage: Step[] = [
  helper('volume create', (run) => ['--size', '1', run.name('volume')]),
  step('server add volume', (run) => [run.name('server'), run.name('volume')]),
  step('server volume list', server),
  step('server volume set', (run) => ['--preserve-on-termination', run.name('server'), run.name('volume')], at('2.85')),
  step('server volume update', (run) => ['--preserve-on-termination', run.name('server'), run.name('volume')], at('2.85')),
  step('server remove volume', (run) => [run.name('server'), run.name('volume')]),
  step('server add share', (run) => [run.name('server'), run.name('share')], at('2.97')),
  step('server share list', server, at('2.97')),
  step('server share show', (run) => [run.name('server'), run.name('share')], at('2.97')),
  step('server remove share', (run) => [run.name('server'), run.name('share')], at('2.97')),
];

const REMOVED = { error: /HTTP 410/, why: 'removed from Nova: 410' };

const hosts: Step[] = [
  step('aggregate create', named('aggregate')),
  step('aggregate list', none),
  step('aggregate show', named('aggregate')),
  step('aggregate set', (run) => ['--property', 'ssd=true', run.name('aggregate')]),
  step('aggregate unset', (run) => ['--property', 'ssd', run.name('aggregate')]),
  step('compute service list', none),
  step('hypervisor list', none),
  step('hypervisor show', id('host')),
  step('hypervisor stats show', none),
  step('host list', none),
  step('host show', id('host')),
  step('host set', (run) => ['--enable', run.saved('host')]),
  step('compute service set', (run) => ['--enable', run.saved('host'), 'nova-compute']),
  step('compute agent create', () => ['linux', 'x86_64', '1.0', 'http://agent.example.org/', '0'.repeat(32), 'docker'], { refusal: REMOVED }),
  step('compute agent list', none, { refusal: REMOVED }),
  step('compute agent set', () => ['--agent-version', '1.0', '--url', 'http://agent.example.org/', '--md5hash', '0'.repeat(32), '1'], { refusal: REMOVED }),
  step('compute agent delete', () => ['1'], { refusal: { ...REMOVED, error: /1 of 1 agents failed to delete/ } }),
];

const farewell: Step[] = [
  helper('server show', server, { save: { where: 'OS-EXT-SRV-ATTR:host' } }),
  helper('compute service set', (run) => ['--down', run.saved('where'), 'nova-compute'], at('2.11')),
  step('server evacuate', server, { clientFault: { error: /'TupleWithMeta' object has no attribute/, why: 'the client stumbles over the answer' } }),
  helper('compute service set', (run) => ['--up', run.saved('where'), 'nova-compute'], at('2.11')),
  helper('server delete', (run) => ['--force', '--wait', run.name('server')]),
  helper('server create', create('last'), { save: { last: 'id' } }),
  step('server delete', named('last')),
  helper('server show', id('last'), { until: { status: 'SOFT_DELETED' } }),
  step('server restore', id('last')),
  helper('server show', id('last'), { until: { status: 'ACTIVE' } }),
  helper('server delete', (run) => ['--force', '--wait', run.name('last')]),
  step('aggregate add host', (run) => [run.name('aggregate'), run.saved('host')]),
  step('aggregate cache image', (run) => [run.name('aggregate'), run.saved('image')], at('2.81')),
  step('aggregate remove host', (run) => [run.name('aggregate'), run.saved('host')]),
  step('aggregate delete', named('aggregate')),
  step('compute service delete', id('service'), { refusal: { error: /1 of 1 compute services failed to delete/, why: 'its node has servers of others' }, ...at('2.53') }),
  step('server group delete', named('servers')),
  step('keypair delete', named('key')),
  step('flavor delete', named('flavor')),
  helper('flavor delete', named('large')),
  helper('floating ip delete', id('floating')),
  helper('router remove subnet', (run) => [run.name('router'), run.name('subnet')]),
  helper('router delete', named('router')),
  helper('port delete', named('port')),
  helper('network delete', (run) => [run.name('network'), run.name('second')]),
  helper('security group delete', named('group')),
];

export const computeSteps: Step[] = [...places, ...shapes, ...reading, ...nics, ...power, ...sizes, ...storage, ...hosts, ...farewell];
