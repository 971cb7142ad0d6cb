import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileRuleset } from '../../../src/agents/network/firewall/compile.ts';
import { asObserved, diffRuleset } from '../../../src/agents/network/firewall/ruleset.ts';
import type { Action, Desired, Observed, Plan } from '../../../src/agents/network/drivers/linux/model.ts';
import { emptyObserved, isEmpty } from '../../../src/agents/network/drivers/linux/model.ts';
import { bridgeName, tapName } from '../../../src/agents/network/drivers/linux/names.ts';
import { planNode } from '../../../src/agents/network/drivers/linux/plan.ts';
import type { NetworkWiring, NodeNetworkState, PortWiring } from '../../../src/agents/network/protocol.ts';

const id = (kind: number, index: number): string => `${kind}${String(index).padStart(7, '0')}-0000-4000-8000-${String(index).padStart(12, '0')}`;

/** Six networks, four devices, eight ports: small enough that states overlap. */
const networkOf = (index: number, mtu: number): NetworkWiring => ({
  network_id: id(1, index), zone: index + 1, type: index === 0 ? 'flat' : 'vxlan', segmentation_id: index === 0 ? null : 100 + index,
  physical_network: null, mtu, host_addresses: index === 0 ? ['10.10.0.1/24'] : [],
});

const portOf = (index: number): fc.Arbitrary<PortWiring> =>
  fc.record({ network: fc.nat(2), device: fc.nat(3), mtu: fc.constantFrom(1300, 1450), up: fc.boolean(), host: fc.subarray([5, 6, 7]), gateway: fc.boolean(), six: fc.boolean(), secure: fc.boolean() }).map((one) => ({
    port_id: id(2, index), network_id: id(1, one.network), device_id: id(3, one.device), mac_address: `fa:16:3e:00:00:0${index}`,
    admin_state_up: one.up, mtu: one.mtu, allowed_address_pairs: [], port_security_enabled: one.secure, security_group_ids: [id(4, 0)],
    fixed_ips: one.host.map((host) => ({
      ip_address: one.six ? `2001:db8::${host}` : `10.10.${one.network}.${host}`, prefix_length: one.six ? 64 : 24, ip_version: one.six ? 6 : 4,
      gateway_ip: one.gateway ? (one.six ? '2001:db8::1' : `10.10.${one.network}.1`) : null, routes: [], dns_nameservers: [],
    })),
  }));

const stateOf: fc.Arbitrary<NodeNetworkState> = fc
  .tuple(fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]), fc.constantFrom(1400, 1450), fc.boolean())
  .chain(([indexes, mtu, peered]) =>
    fc.tuple(...indexes.map(portOf)).map((ports) => {
      const networks = [0, 1, 2].map((index) => networkOf(index, mtu));
      const far = { network_id: id(1, 1), mac_address: 'fa:16:3e:99:00:01', ip_addresses: ['10.10.1.99'] };
      return {
        generation: 1, networks, ports, security_groups: [{ id: id(4, 0), stateful: true, rules: [] }], group_members: [],
        peers: peered ? [{ node_id: 'b', tunnel_ip: '192.0.2.9', ports: [far] }] : [],
      };
    }),
  );

const desiredOf = (state: NodeNetworkState, plugged: number[]): Desired => ({
  cloud: 'gtx', state, networks: new Map(state.networks.map((network) => [network.network_id, network])), ports: state.ports,
  devices: new Set(plugged.map((index) => id(3, index))), tunnel_ip: '192.0.2.1',
});
const arbitrary = fc.tuple(stateOf, fc.subarray([0, 1, 2, 3])).map(([state, plugged]) => desiredOf(state, plugged));

const actionsOf = (plan: Plan): Action[] => [...plan.prepare, ...[...plan.guests.values()].flat(), ...plan.join, ...plan.open, ...plan.clean];

/** A kernel that does what it is told and refuses what a real one would. */
function carryOut(kernel: Observed, action: Action): void {
  const must = (condition: boolean): void => assert.ok(condition, `out of order: ${JSON.stringify(action)}`);
  carryOutSwitching(kernel, action, must);
  carryOutTunnel(kernel, action, must);
  carryOutCable(kernel, action, must);
  carryOutGuest(kernel, action, must);
}

type Must = (condition: boolean) => void;

function carryOutSwitching(kernel: Observed, action: Action, must: Must): void {
  switch (action.do) {
    case 'bridge.create':
      must(!kernel.bridges.has(action.bridge));
      kernel.bridges.set(action.bridge, { mtu: action.mtu, up: true, filtered: true });
      return;
    case 'bridge.set':
      must(kernel.bridges.has(action.bridge));
      kernel.bridges.set(action.bridge, { mtu: action.mtu, up: true, filtered: true });
      return;
    case 'bridge.delete':
      must(![...kernel.taps.values()].some((tap) => tap.bridge === action.bridge));
      kernel.bridges.delete(action.bridge);
      return;
    case 'leg.create':
    case 'leg.set':
      must(kernel.bridges.has(action.bridge));
      kernel.legs.set(action.leg, { bridge: action.bridge, mtu: action.mtu, up: true });
      kernel.host_legs.set(action.host_leg, { mtu: action.mtu, up: true, addresses: kernel.host_legs.get(action.host_leg)?.addresses ?? new Set() });
      return;
    case 'leg.delete':
      kernel.legs.delete(action.leg);
      kernel.host_legs.delete(action.host_leg);
      return;
    case 'leg.address': {
      const addresses = kernel.host_legs.get(action.host_leg)?.addresses;
      must(addresses !== undefined);
      if (action.verb === 'add') addresses?.add(action.address);
      else addresses?.delete(action.address);
      return;
    }
  }
}

function carryOutTunnel(kernel: Observed, action: Action, must: Must): void {
  switch (action.do) {
    case 'tunnel.create':
      must(kernel.bridges.has(action.bridge) && !kernel.tunnels.has(action.tunnel));
      kernel.tunnels.set(action.tunnel, { vni: action.vni, bridge: action.bridge, up: true, mtu: action.mtu, forwarding: new Set(), neighbours: new Set() });
      return;
    case 'tunnel.set': {
      const tunnel = kernel.tunnels.get(action.tunnel);
      must(tunnel !== undefined);
      if (tunnel) Object.assign(tunnel, { bridge: action.bridge, mtu: action.mtu, up: true });
      return;
    }
    case 'tunnel.delete':
      kernel.tunnels.delete(action.tunnel);
      return;
    case 'tunnel.forward':
    case 'tunnel.neighbour': {
      const tunnel = kernel.tunnels.get(action.tunnel);
      must(tunnel !== undefined);
      const entries = action.do === 'tunnel.forward' ? tunnel?.forwarding : tunnel?.neighbours;
      if (action.verb === 'add') entries?.add(action.entry);
      else entries?.delete(action.entry);
      return;
    }
  }
}

function carryOutCable(kernel: Observed, action: Action, must: Must): void {
  switch (action.do) {
    case 'device.create':
      must(!kernel.devices.has(action.device_id));
      kernel.devices.add(action.device_id);
      kernel.guests.set(action.device_id, { links: new Map(), names: new Set(['lo']), strays: new Map(), routes: new Set() });
      return;
    case 'device.delete':
      must(kernel.guests.get(action.device_id)?.links.size === 0);
      kernel.devices.delete(action.device_id);
      kernel.guests.delete(action.device_id);
      return;
    case 'cable.create': {
      const guest = kernel.guests.get(action.device_id);
      must(guest !== undefined && !kernel.taps.has(action.tap) && !guest.names.has(action.name));
      guest?.names.add(action.name);
      guest?.links.set(action.tap, { name: action.name, mac: action.mac, mtu: action.mtu, up: true, addresses: new Map() });
      kernel.taps.set(action.tap, { device_id: null, bridge: null, mtu: action.mtu, up: false, alias: '' });
      return;
    }
    case 'cable.delete': {
      must(kernel.taps.has(action.tap));
      kernel.taps.delete(action.tap);
      for (const guest of kernel.guests.values()) {
        const link = guest.links.get(action.tap);
        if (link === undefined) continue;
        guest.links.delete(action.tap);
        guest.names.delete(link.name);
        for (const route of guest.routes) if (route.includes(` dev ${link.name} `)) guest.routes.delete(route);
      }
      return;
    }
  }
}

function carryOutGuest(kernel: Observed, action: Action, must: Must): void {
  const linkOf = (device_id: string, name: string) => [...(kernel.guests.get(device_id)?.links.values() ?? [])].find((link) => link.name === name);
  switch (action.do) {
    case 'link.set': {
      const link = linkOf(action.device_id, action.name);
      must(link !== undefined);
      if (link) Object.assign(link, { mac: action.mac, mtu: action.mtu, up: true });
      return;
    }
    case 'address': {
      const link = linkOf(action.device_id, action.name);
      must(link !== undefined);
      if (action.verb === 'add') link?.addresses.set(action.address, true);
      else link?.addresses.delete(action.address);
      return;
    }
    case 'route': {
      const guest = kernel.guests.get(action.device_id);
      const name = / dev (\S+)/.exec(action.route)?.[1] ?? '';
      must(guest?.names.has(name) === true);
      if (action.verb === 'add') guest?.routes.add(action.route);
      else guest?.routes.delete(action.route);
      return;
    }
    case 'tap.join': {
      const tap = kernel.taps.get(action.tap);
      must(tap !== undefined && kernel.bridges.has(action.bridge));
      if (tap) Object.assign(tap, { bridge: action.bridge, mtu: action.mtu, alias: action.alias, device_id: action.alias.split(' ')[0] });
      return;
    }
    case 'tap.up':
    case 'tap.down': {
      const tap = kernel.taps.get(action.tap);
      must(tap !== undefined && (action.do === 'tap.down' || tap.bridge !== null));
      if (tap) tap.up = action.do === 'tap.up';
    }
  }
}

function converge(kernel: Observed, desired: Desired): Plan {
  const plan = planNode(desired, kernel);
  for (const action of actionsOf(plan)) carryOut(kernel, action);
  return plan;
}

test('what a plan makes needs no further plan, from any node to any state', () => {
  fc.assert(
    fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 4 }), (states) => {
      const kernel = emptyObserved();
      for (const desired of states) {
        converge(kernel, desired);
        const rest = planNode(desired, kernel);
        assert.ok(isEmpty(rest), JSON.stringify(actionsOf(rest)));
      }
    }),
    { numRuns: 300 },
  );
});

test('damage is healed: whatever is missing comes back, and nothing else is touched', () => {
  fc.assert(
    fc.property(arbitrary, fc.nat(7), fc.nat(2), (desired, portIndex, networkIndex) => {
      const kernel = emptyObserved();
      converge(kernel, desired);
      const tap = tapName(id(2, portIndex));
      const bridge = bridgeName(id(1, networkIndex));
      kernel.taps.delete(tap);
      for (const guest of kernel.guests.values()) {
        const name = guest.links.get(tap)?.name;
        guest.links.delete(tap);
        if (name !== undefined) {
          guest.names.delete(name);
          for (const route of guest.routes) if (route.includes(` dev ${name} `)) guest.routes.delete(route);
        }
      }
      kernel.bridges.delete(bridge);
      for (const other of [...kernel.taps.values(), ...kernel.legs.values(), ...kernel.tunnels.values()]) if (other.bridge === bridge) other.bridge = null;
      const affected = new Set([tap, ...desired.ports.filter((port) => bridgeName(port.network_id) === bridge).map((port) => tapName(port.port_id))]);
      const plan = converge(kernel, desired);
      assert.ok(isEmpty(planNode(desired, kernel)));
      for (const action of actionsOf(plan)) {
        if ('tap' in action && action.do !== 'link.set') assert.ok(affected.has(action.tap), `touched: ${JSON.stringify(action)}`);
      }
    }),
    { numRuns: 300 },
  );
});

test('a port that is the same in both states gets no action', () => {
  fc.assert(
    fc.property(arbitrary, arbitrary, (first, second) => {
      const kernel = emptyObserved();
      converge(kernel, first);
      const next: Desired = { ...second, networks: first.networks, state: { ...second.state, networks: first.state.networks } };
      const realised = new Set(kernel.taps.keys());
      const before = new Map(first.ports.map((port) => [tapName(port.port_id), JSON.stringify(port)]));
      const same = new Set(next.ports.filter((port) => before.get(tapName(port.port_id)) === JSON.stringify(port)).map((port) => tapName(port.port_id)));
      for (const action of actionsOf(planNode(next, kernel))) {
        if ('tap' in action && realised.has(action.tap)) assert.ok(!same.has(action.tap), `touched: ${JSON.stringify(action)}`);
      }
    }),
    { numRuns: 300 },
  );
});

test('a device that was never plugged gets nothing', () => {
  fc.assert(
    fc.property(stateOf, (state) => {
      const plan = planNode(desiredOf(state, []), emptyObserved());
      assert.equal(plan.guests.size + plan.join.length + plan.open.length, 0);
    }),
  );
});

test('the filter converges too: the difference of a ruleset with itself is empty, and removal mirrors addition', () => {
  fc.assert(
    fc.property(stateOf, stateOf, (one, other) => {
      const from = compileRuleset(one, one.ports);
      const to = compileRuleset(other, other.ports);
      assert.deepEqual(diffRuleset(to, asObserved(to)), []);
      const commands = diffRuleset(to, asObserved(from));
      const secured = new Set(other.ports.filter((port) => port.port_security_enabled).map((port) => tapName(port.port_id)));
      for (const port of one.ports) {
        const mentioned = commands.some((command) => command.includes(`"${tapName(port.port_id)}"`) && command.startsWith('delete element bridge'));
        if (port.port_security_enabled) assert.equal(mentioned, !secured.has(tapName(port.port_id)), commands.join('\n'));
      }
    }),
  );
});
