import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asObserved } from '../../../src/agents/network/firewall/ruleset.ts';
import { bridgeName, routerEnd, routerLeg } from '../../../src/agents/network/drivers/linux/names.ts';
import { isEmptyRouterPlan, RIGHT_SETTINGS, type DesiredRouter, type ObservedEnd, type ObservedRouter } from '../../../src/agents/network/drivers/linux/router-model.ts';
import { compileRouter, planRouter, routerRoutes } from '../../../src/agents/network/drivers/linux/router-plan.ts';
import type { NetworkWiring, RouterLegWiring, RouterWiring } from '../../../src/agents/network/protocol.ts';

const octet = fc.integer({ min: 2, max: 250 });
/** Legs of one router differ in the beginning of their identifiers, which names their devices. */
const leg = (net: number, is_gateway: boolean): fc.Arbitrary<RouterLegWiring> =>
  fc.record({ last: octet, admin_state_up: fc.boolean(), mtu: fc.integer({ min: 1280, max: 1500 }) }).map(({ last, ...rest }) => ({
    ...rest, port_id: `0000${net.toString(16).padStart(4, '0')}-0000-4000-8000-000000000000`, network_id: `${net.toString(16).padStart(8, '0')}-0000-4000-9000-000000000000`, mac_address: `fa:16:3e:00:00:${net.toString(16).padStart(2, '0')}`, is_gateway,
    fixed_ips: [{ ip_address: `10.${net}.0.${last}`, prefix_length: 24, ip_version: 4, gateway_ip: `10.${net}.0.1`, routes: [], dns_nameservers: [] }],
  }));

const routers: fc.Arbitrary<RouterWiring> = fc
  .record({ router_id: fc.uuid(), admin_state_up: fc.boolean(), enable_snat: fc.boolean(), gateway: fc.option(leg(1, true)), inner: fc.tuple(leg(20, false), leg(21, false), leg(22, false)), count: fc.integer({ min: 0, max: 3 }), fips: fc.uniqueArray(octet, { maxLength: 4 }), via: octet })
  .map(({ gateway, inner, count, fips, via, ...rest }) => ({
    ...rest, legs: [...inner.slice(0, count), ...(gateway === null ? [] : [gateway])], snat_address: gateway?.fixed_ips[0]!.ip_address ?? null,
    routes: [{ destination: '192.168.7.0/24', nexthop: `10.20.0.${via}` }],
    floating_ips: gateway === null ? [] : fips.map((last) => ({ floating_ip_address: `10.1.0.${last}`, fixed_ip_address: `10.20.0.${last}` })),
  }));

const desiredOf = (router: RouterWiring): DesiredRouter => ({
  router,
  networks: new Map(router.legs.map((one) => [one.network_id, { network_id: one.network_id, zone: 1, type: 'vxlan', segmentation_id: 1, physical_network: null, mtu: 1450, host_addresses: [] } satisfies NetworkWiring])),
});

/** The kernel after the plan has been carried out on nothing. */
function carriedOut(desired: DesiredRouter): { observed: ObservedRouter; ends: Map<string, ObservedEnd> } {
  const { router } = desired;
  const open = router.legs.filter((one) => router.admin_state_up && one.admin_state_up);
  const ends = new Map<string, ObservedEnd>();
  const links: ObservedRouter['links'] = new Map([['lo', { mac: '00:00:00:00:00:00', mtu: 65536, up: true, peer: undefined, addresses: new Set<string>() }]]);
  for (const [at, one] of open.entries()) {
    const mtu = Math.min(one.mtu, 1450);
    const floating = one.is_gateway ? router.floating_ips.map((fip) => `${fip.floating_ip_address}/32`) : [];
    ends.set(routerEnd(one.port_id), { index: at + 2, bridge: bridgeName(one.network_id), mtu, up: true });
    links.set(routerLeg(one), { mac: one.mac_address, mtu, up: true, peer: at + 2, addresses: new Set([...one.fixed_ips.map((ip) => `${ip.ip_address}/24`), ...floating]) });
  }
  return { observed: { links, routes: routerRoutes(router, open), rules: asObserved(compileRouter(router)), settings: RIGHT_SETTINGS }, ends };
}

test('nothing is left to do on a router that is as wanted', () => {
  fc.assert(fc.property(routers, (router) => {
    const desired = desiredOf(router);
    const { observed, ends } = carriedOut(desired);
    const plan = planRouter(desired, { ...observed, rules: { ...observed.rules, tables: new Set(['ip nat']) } }, ends);
    assert.ok(isEmptyRouterPlan(plan), JSON.stringify(plan));
  }));
});

test('from nothing, every open leg is made, joined, raised and announced; closed ones are not', () => {
  fc.assert(fc.property(routers, (router) => {
    const plan = planRouter(desiredOf(router), undefined, new Map());
    const open = router.legs.filter((one) => router.admin_state_up && one.admin_state_up).map(routerLeg).sort();
    assert.ok(plan.create && plan.settings);
    assert.deepEqual(plan.legs.flatMap((action) => (action.do === 'create' ? [action.leg] : [])).sort(), open);
    assert.deepEqual([...plan.raise].sort(), open);
    assert.deepEqual(plan.announce.map((one) => one.leg).sort(), open);
    assert.equal(plan.joins.length, open.length);
  }));
});

test('a router that becomes another one cuts exactly the translations that end, and touches no leg that stays', () => {
  fc.assert(fc.property(routers, fc.uniqueArray(octet, { maxLength: 4 }), (before, fips) => {
    const router: RouterWiring = { ...before, floating_ips: before.snat_address === null ? [] : fips.map((last) => ({ floating_ip_address: `10.1.0.${last}`, fixed_ip_address: '10.21.0.9' })) };
    const { observed, ends } = carriedOut(desiredOf(before));
    const plan = planRouter(desiredOf(router), observed, ends);
    assert.deepEqual([...plan.cut].sort(), before.floating_ips.map((fip) => fip.floating_ip_address).sort());
    assert.deepEqual([plan.dropped, plan.ends, plan.raise, plan.joins], [[], [], [], []]);
    assert.ok(plan.legs.every((action) => action.do === 'address' && action.address.endsWith('/32')));
  }));
});
