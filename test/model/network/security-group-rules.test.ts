import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRule, ruleKey } from '../../../src/services/network/model/security-group-rules.ts';

const rule = { direction: 'ingress' as const, ethertype: 'IPv4' as 'IPv4' | 'IPv6', protocol: null as string | null, port_range_min: null as number | null, port_range_max: null as number | null, remote_ip_prefix: null as string | null, remote_group_id: null as string | null };
const refused = (over: Partial<typeof rule>): string => {
  try {
    checkRule({ ...rule, ...over });
  } catch (error) {
    return (error as { type: string }).type;
  }
  return 'accepted';
};

describe('security group rules', () => {
  it('are refused with neutron’s names', () => {
    assert.equal(refused({ port_range_min: 1 }), 'SecurityGroupProtocolRequiredWithPorts');
    assert.equal(refused({ protocol: 'tcp', port_range_min: 80 }), 'SecurityGroupInvalidPortRange');
    assert.equal(refused({ protocol: 'tcp', port_range_min: 80, port_range_max: 79 }), 'SecurityGroupInvalidPortRange');
    assert.equal(refused({ protocol: 'tcp', port_range_min: 0, port_range_max: 79 }), 'SecurityGroupInvalidPortValue');
    assert.equal(refused({ protocol: 'icmp', port_range_min: 256 }), 'SecurityGroupInvalidIcmpValue');
    assert.equal(refused({ protocol: 'icmp', port_range_max: 0 }), 'SecurityGroupMissingIcmpType');
    assert.equal(refused({ protocol: 'gre', port_range_min: 1, port_range_max: 2 }), 'SecurityGroupInvalidProtocolForPort');
    assert.equal(refused({ protocol: 'ipv6-icmp' }), 'SecurityGroupEthertypeConflictWithProtocol');
    assert.equal(refused({ remote_ip_prefix: '2001:db8::/64' }), 'SecurityGroupRuleParameterConflict');
    assert.equal(refused({ remote_ip_prefix: '10.0.0.0/8', remote_group_id: 'x' }), 'SecurityGroupMultipleRemoteEntites');
    assert.equal(refused({ protocol: 'icmp', port_range_min: 8, port_range_max: 0 }), 'accepted');
  });

  it('are kept in one canonical form', () => {
    assert.equal(checkRule({ ...rule, ethertype: 'IPv6', protocol: 'icmp' }).protocol, 'ipv6-icmp');
    const whole = checkRule({ ...rule, protocol: 'udp', port_range_min: 1, port_range_max: 65_535 });
    assert.deepEqual([whole.port_range_min, whole.port_range_max], [null, null]);
  });

  it('two of the same meaning have the same key', () => {
    assert.equal(ruleKey({ ...rule, protocol: 'tcp' }), ruleKey({ ...rule, protocol: '6' }));
    assert.equal(ruleKey({ ...rule, remote_ip_prefix: '0.0.0.0/0' }), ruleKey(rule));
    assert.notEqual(ruleKey({ ...rule, protocol: 'tcp' }), ruleKey({ ...rule, protocol: 'udp' }));
  });
});
