import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress } from '../../../src/services/network/model/address.ts';
import { firstFree, planAddressChange, planAddresses } from '../../../src/services/network/model/ipam.ts';
import type { SubnetRow } from '../../../src/services/network/store/tables.ts';

const subnet = (id: string, cidr: string, ipv6_address_mode: SubnetRow['ipv6_address_mode'] = null): SubnetRow => ({
  id, network_id: 'net', project_id: '', name: '', description: '', ip_version: cidr.includes(':') ? 6 : 4, cidr, gateway_ip: null, enable_dhcp: 1, ipv6_ra_mode: null,
  ipv6_address_mode, allocation_pools: '[]', dns_nameservers: '[]', host_routes: '[]', created_at: '', updated_at: '', revision_number: 0,
});
const port = { mac_address: 'fa:16:3e:00:00:01', device_owner: '' };
const v4 = subnet('v4', '10.0.0.0/24');
const v4b = subnet('v4b', '10.0.1.0/24');
const v6 = subnet('v6', '2001:db8::/64');
const slaac = subnet('slaac', '2001:db8:1::/64', 'slaac');

describe('which addresses a port gets', () => {
  it('unasked: one per version, and those it calculates', () => {
    assert.deepEqual(planAddresses([v4, v4b, v6, slaac], undefined, port), [{ any_of: [v4, v4b] }, { any_of: [v6] }, { subnet: slaac, ip_address: '2001:db8:1:0:f816:3eff:fe00:1' }]);
  });

  it('asked for none: only those it calculates; a router’s port none at all', () => {
    assert.deepEqual(planAddresses([v4, slaac], [], port), [{ subnet: slaac, ip_address: '2001:db8:1:0:f816:3eff:fe00:1' }]);
    assert.deepEqual(planAddresses([v4, slaac], [], { ...port, device_owner: 'network:router_interface' }), []);
  });

  it('refuses what does not fit, in neutron’s words', () => {
    const type = (name: string) => (error: unknown) => (error as { type?: string }).type === name;
    assert.throws(() => planAddresses([v4], [{ ip_address: '10.0.0.255' }], port), type('InvalidIpForNetwork'));
    assert.throws(() => planAddresses([v4], [{ subnet_id: 'v4', ip_address: '10.0.1.5' }], port), type('InvalidIpForSubnet'));
    assert.throws(() => planAddresses([v4], [{ subnet_id: 'nowhere' }], port), type('InvalidInput'));
    assert.throws(() => planAddresses([], [{ ip_address: '10.0.0.5' }], port), type('InvalidInput'));
    assert.throws(() => planAddresses([slaac], [{ subnet_id: 'slaac', ip_address: '2001:db8:1::5' }], port), type('AllocationOnAutoAddressSubnet'));
  });

  it('a change keeps what was asked for and what calculates itself', () => {
    const before = [{ subnet_id: 'v4', ip_address: '10.0.0.5' }, { subnet_id: 'v4b', ip_address: '10.0.1.6' }, { subnet_id: 'slaac', ip_address: '2001:db8:1:0:f816:3eff:fe00:1' }];
    const change = planAddressChange([v4, v4b, slaac], before, [{ subnet_id: 'v4' }], port);
    assert.deepEqual(change, { add: [], keep: [before[0], before[2]], drop: [before[1]] });
  });

  it('finds a free address whenever there is one, from any place on', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 19 })), fc.bigInt({ min: 0n, max: 19n }), (numbers, from) => {
      const ranges = [{ first: 100n, last: 109n }, { first: 200n, last: 209n }];
      const at = (number: number): bigint => (number < 10 ? 100n + BigInt(number) : 190n + BigInt(number));
      const taken = new Set(numbers.map((number) => formatAddress(at(number), 4)));
      const free = firstFree(ranges, taken, 4, from);
      if (taken.size === 20) assert.equal(free, undefined);
      else {
        assert.ok(free !== undefined && ranges.some((range) => free >= range.first && free <= range.last));
        assert.ok(!taken.has(formatAddress(free!, 4)));
      }
    }));
  });
});
